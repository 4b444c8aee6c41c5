"""The tables as they are now; ``db/migrations`` holds the way there.

Types and collation are such that SQLite, MySQL and MariaDB keep the same values and tell names apart alike.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers only INTEGER keys by itself
_blob = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")  # naive, in UTC
_name = sa.String(255)
_sha256 = sa.String(64)  # in hexadecimal

tables = sa.MetaData()

# utf8mb4_bin exists on MySQL and MariaDB alike and tells case and accents apart. No id is given out twice:
# InnoDB keeps its counter, SQLite does so with AUTOINCREMENT.
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_autoincrement": True,
}

galleries = sa.Table(
    "galleries",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("uid", sa.String(32), nullable=False),  # of this gallery alone, in whatever database it lies
    sa.Column("model_name", _name, nullable=False),
    sa.Column("model_digest", _name, nullable=False),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("templates_digest", sa.BigInteger, nullable=False),  # the sum of its templates' digests, see db.vectors
    sa.Column("faces_digest", sa.BigInteger, nullable=False),
    sa.Column("threshold", sa.Double),
    sa.Column("threshold_far", sa.Double),
    sa.Column("threshold_low", sa.Double),
    sa.Column("threshold_high", sa.Double),
    sa.Column("created", _moment, nullable=False),
    **OPTIONS,
)

# A name is a row of its own: exchanging two galleries' names is one UPDATE, which a unique column of the
# galleries would refuse. Deleting a gallery deletes its name first; what has no name is gone for everyone.
gallery_names = sa.Table(
    "gallery_names",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("name", _name, nullable=False),
    sa.Column("gallery_id", _id, sa.ForeignKey("galleries.id"), nullable=False, index=True),
    sa.UniqueConstraint("name", name="gallery_names_name"),
    **OPTIONS,
)

persons = sa.Table(
    "persons",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("gallery_id", _id, sa.ForeignKey("galleries.id"), nullable=False),
    sa.Column("name", _name, nullable=False),
    sa.Column("metadata", sa.JSON(none_as_null=True)),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("origin_id", _id),  # the person of another gallery that this one was made from, see reembeddings
    sa.Column("created", _moment, nullable=False),
    sa.UniqueConstraint("gallery_id", "name", name="persons_name"),
    sa.Index("persons_revision", "gallery_id", "revision", "id"),
    sa.Index("persons_id", "gallery_id", "id"),
    sa.Index("persons_origin", "gallery_id", "origin_id"),
    **OPTIONS,
)

faces = sa.Table(
    "faces",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("person_id", _id, sa.ForeignKey("persons.id"), nullable=False, index=True),
    sa.Column("embedding", _blob, nullable=False),
    sa.Column("digest", sa.BigInteger, nullable=False),
    sa.Column("crop", _blob),
    sa.Column("source", sa.Text),
    sa.Column("picture", _sha256),  # of the bytes of the photo that it was found in
    sa.Column("score", sa.Double),
    sa.Column("created", _moment, nullable=False),
    **OPTIONS,
)

templates = sa.Table(
    "templates",
    tables,
    sa.Column("person_id", _id, sa.ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    sa.Column("mean", _blob, nullable=False),
    sa.Column("digest", sa.BigInteger, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    **OPTIONS,
)

deletions = sa.Table(
    "deletions",
    tables,
    sa.Column("gallery_id", _id, sa.ForeignKey("galleries.id"), primary_key=True, autoincrement=False),
    sa.Column("person_id", _id, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("deletions_revision", "gallery_id", "revision"),
    **OPTIONS,
)

# How far a gallery that is made from another one's crops has come: all of the source's persons up to this
# (revision, person) are in it.
reembeddings = sa.Table(
    "reembeddings",
    tables,
    sa.Column("gallery_id", _id, sa.ForeignKey("galleries.id"), primary_key=True, autoincrement=False),
    sa.Column("source_id", _id, sa.ForeignKey("galleries.id"), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("person_id", _id, nullable=False),
    **OPTIONS,
)

writes = sa.Table(
    "writes",
    tables,
    sa.Column("token", sa.String(32), primary_key=True),
    sa.Column("created", _moment, nullable=False, index=True),
    **OPTIONS,
)

# What the service keeps: docs/security.md. A key's gallery is the id of a name, without a reference: who has the name
# of a gallery that was deleted has none, and ids are not given out twice.
api_keys = sa.Table(
    "api_keys",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("public_id", sa.String(12), nullable=False),
    sa.Column("digest", _sha256, nullable=False),  # of the secret
    sa.Column("name", _name, nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("gallery_name_id", _id),
    sa.Column("created", _moment, nullable=False),
    sa.Column("expires", _moment),
    sa.Column("revoked", _moment),
    sa.Column("last_used", _moment),
    sa.UniqueConstraint("public_id", name="api_keys_public_id"),
    **OPTIONS,
)

# People who signed in to the pages with a key. Those that are over are kept for a while: see db.sessions.
sessions = sa.Table(
    "sessions",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("digest", _sha256, nullable=False),  # of the token
    sa.Column("key_id", _id, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created", _moment, nullable=False),
    sa.Column("last_seen", _moment, nullable=False),
    sa.Column("ends", _moment, nullable=False, index=True),
    sa.UniqueConstraint("digest", name="sessions_digest"),
    **OPTIONS,
)

audit_entries = sa.Table(
    "audit_entries",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("moment", _moment, nullable=False),
    sa.Column("actor", _name, nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(64), nullable=False),
    sa.Column("gallery", _name),
    sa.Column("person", _name),
    sa.Column("request_id", sa.String(64)),
    sa.Column("details", sa.JSON(none_as_null=True)),
    sa.Index("audit_moment", "moment"),
    sa.Index("audit_person", "person", "id"),
    **OPTIONS,
)

# A key that is claimed has an owner until it has an answer.
idempotency_keys = sa.Table(
    "idempotency_keys",
    tables,
    sa.Column("digest", _sha256, primary_key=True),  # of scope and key
    sa.Column("fingerprint", _sha256, nullable=False),  # of the request
    sa.Column("owner", sa.String(32)),
    sa.Column("expires", _moment, nullable=False, index=True),
    sa.Column("status", sa.Integer),
    sa.Column("headers", sa.JSON(none_as_null=True)),
    sa.Column("body", _blob),
    **OPTIONS,
)

jobs = sa.Table(
    "jobs",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("owner", _name),
    sa.Column("parameters", sa.JSON(none_as_null=True)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("most_attempts", sa.Integer, nullable=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("worker", _name),
    sa.Column("lease", sa.String(32)),  # of the worker that has it, which nobody else knows
    sa.Column("leased_until", _moment),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.Text),
    sa.Column("created", _moment, nullable=False),
    sa.Column("started", _moment),
    sa.Column("finished", _moment),
    sa.Index("jobs_state", "state", "id"),
    **OPTIONS,
)

# People who were deleted, for as long as that can be undone: no list, search or index reads these.
undo_persons = sa.Table(
    "undo_persons",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("token", sa.String(32), nullable=False, index=True),
    sa.Column("gallery_id", _id, sa.ForeignKey("galleries.id"), nullable=False),
    sa.Column("person_id", _id, nullable=False),
    sa.Column("name", _name, nullable=False),
    sa.Column("metadata", sa.JSON(none_as_null=True)),
    sa.Column("origin_id", _id),
    sa.Column("created", _moment, nullable=False),
    sa.Column("expires", _moment, nullable=False, index=True),
    sa.Index("undo_persons_name", "gallery_id", "name"),
    **OPTIONS,
)

undo_faces = sa.Table(
    "undo_faces",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("undo_id", _id, sa.ForeignKey("undo_persons.id"), nullable=False, index=True),
    sa.Column("embedding", _blob, nullable=False),
    sa.Column("crop", _blob),
    sa.Column("source", sa.Text),
    sa.Column("picture", _sha256),
    sa.Column("score", sa.Double),
    sa.Column("created", _moment, nullable=False),
    **OPTIONS,
)


def now(seconds: float = 0) -> datetime:
    """The moment ``seconds`` from now as the tables keep it: UTC without a time zone."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(tzinfo=None)
