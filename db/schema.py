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


def now(seconds: float = 0) -> datetime:
    """The moment ``seconds`` from now as the tables keep it: UTC without a time zone."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(tzinfo=None)
