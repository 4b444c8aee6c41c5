"""Galleries, persons, faces, templates, deletions: what version 0.1.0 made, then known as schema version 1."""

import sqlalchemy as sa
from alembic import op

from db.migrations import steps

revision = "0001"
down_revision = None


def upgrade() -> None:
    steps.create_table(
        "galleries",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("name", steps.name, nullable=False),
        sa.Column("model_name", steps.name, nullable=False),
        sa.Column("model_digest", steps.name, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("threshold", sa.Double),
        sa.Column("threshold_far", sa.Double),
        sa.Column("created", steps.moment, nullable=False),
        sa.UniqueConstraint("name"),
    )
    steps.create_table(
        "persons",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("gallery_id", steps.identifier, sa.ForeignKey("galleries.id"), nullable=False),
        sa.Column("name", steps.name, nullable=False),
        sa.Column("metadata", sa.JSON),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created", steps.moment, nullable=False),
        sa.UniqueConstraint("gallery_id", "name", name="persons_name"),
    )
    steps.create_index("persons_revision", "persons", "gallery_id", "revision")
    steps.create_table(
        "faces",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("person_id", steps.identifier, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("embedding", steps.blob, nullable=False),
        sa.Column("crop", steps.blob),
        sa.Column("source", sa.Text),
        sa.Column("score", sa.Double),
        sa.Column("created", steps.moment, nullable=False),
    )
    steps.create_index("ix_faces_person_id", "faces", "person_id")
    steps.create_table(
        "templates",
        sa.Column("person_id", steps.identifier, sa.ForeignKey("persons.id"), primary_key=True, autoincrement=False),
        sa.Column("mean", steps.blob, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    steps.create_table(
        "deletions",
        sa.Column("gallery_id", steps.identifier, sa.ForeignKey("galleries.id"), primary_key=True, autoincrement=False),
        sa.Column("person_id", steps.identifier, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    steps.create_index("deletions_revision", "deletions", "gallery_id", "revision")


def downgrade() -> None:
    for table in ("deletions", "templates", "faces", "persons", "galleries"):
        op.drop_table(table)
