"""What the service keeps: API keys, audit log, idempotency keys, jobs, and people whose deletion can be undone."""

import sqlalchemy as sa
from alembic import op

from db.migrations import steps

revision = "0003"
down_revision = "0002"

_sha256 = sa.String(64)
_token = sa.String(32)


def upgrade() -> None:
    steps.create_table(
        "api_keys",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("public_id", sa.String(12), nullable=False),
        sa.Column("digest", _sha256, nullable=False),
        sa.Column("name", steps.name, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("gallery_name_id", steps.identifier),
        sa.Column("created", steps.moment, nullable=False),
        sa.Column("expires", steps.moment),
        sa.Column("revoked", steps.moment),
        sa.Column("last_used", steps.moment),
        sa.UniqueConstraint("public_id", name="api_keys_public_id"),
    )
    steps.create_table(
        "audit_entries",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("moment", steps.moment, nullable=False),
        sa.Column("actor", steps.name, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("gallery", steps.name),
        sa.Column("person", steps.name),
        sa.Column("request_id", sa.String(64)),
        sa.Column("details", sa.JSON),
    )
    steps.create_index("audit_moment", "audit_entries", "moment")
    steps.create_index("audit_person", "audit_entries", "person", "id")
    steps.create_table(
        "idempotency_keys",
        sa.Column("digest", _sha256, primary_key=True),
        sa.Column("fingerprint", _sha256, nullable=False),
        sa.Column("owner", _token),
        sa.Column("expires", steps.moment, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.JSON),
        sa.Column("body", steps.blob),
    )
    steps.create_index("ix_idempotency_keys_expires", "idempotency_keys", "expires")
    _create_jobs()
    _create_undo()


def downgrade() -> None:
    for table in ("undo_faces", "undo_persons", "jobs", "idempotency_keys", "audit_entries", "api_keys"):
        op.drop_table(table)


def _create_jobs() -> None:
    steps.create_table(
        "jobs",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("owner", steps.name),
        sa.Column("parameters", sa.JSON),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("most_attempts", sa.Integer, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("worker", steps.name),
        sa.Column("lease", _token),
        sa.Column("leased_until", steps.moment),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("created", steps.moment, nullable=False),
        sa.Column("started", steps.moment),
        sa.Column("finished", steps.moment),
    )
    steps.create_index("jobs_state", "jobs", "state", "id")


def _create_undo() -> None:
    steps.create_table(
        "undo_persons",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("token", _token, nullable=False),
        sa.Column("gallery_id", steps.identifier, sa.ForeignKey("galleries.id"), nullable=False),
        sa.Column("person_id", steps.identifier, nullable=False),
        sa.Column("name", steps.name, nullable=False),
        sa.Column("metadata", sa.JSON),
        sa.Column("origin_id", steps.identifier),
        sa.Column("created", steps.moment, nullable=False),
        sa.Column("expires", steps.moment, nullable=False),
    )
    steps.create_index("ix_undo_persons_token", "undo_persons", "token")
    steps.create_index("ix_undo_persons_expires", "undo_persons", "expires")
    steps.create_index("undo_persons_name", "undo_persons", "gallery_id", "name")
    steps.create_table(
        "undo_faces",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("undo_id", steps.identifier, sa.ForeignKey("undo_persons.id"), nullable=False),
        sa.Column("embedding", steps.blob, nullable=False),
        sa.Column("crop", steps.blob),
        sa.Column("source", sa.Text),
        sa.Column("picture", _sha256),
        sa.Column("score", sa.Double),
        sa.Column("created", steps.moment, nullable=False),
    )
    steps.create_index("ix_undo_faces_undo_id", "undo_faces", "undo_id")
