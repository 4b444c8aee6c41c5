"""The database's revisions, oldest first in ``versions/``; run by Alembic, called by :mod:`db.versions`.

MySQL commits with every CREATE and ALTER, so a revision may have been interrupted half way: each of its steps
looks first whether it is done.
"""
