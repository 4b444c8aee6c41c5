"""Sessions: who has signed in to the web pages."""

import sqlalchemy as sa
from alembic import op

from db.migrations import steps

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    steps.create_table(
        "sessions",
        sa.Column("id", steps.identifier, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("key_id", steps.identifier, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created", steps.moment, nullable=False),
        sa.Column("last_seen", steps.moment, nullable=False),
        sa.Column("ends", steps.moment, nullable=False),
        sa.UniqueConstraint("digest", name="sessions_digest"),
    )
    steps.create_index("ix_sessions_key_id", "sessions", "key_id")
    steps.create_index("ix_sessions_ends", "sessions", "ends")


def downgrade() -> None:
    op.drop_table("sessions")
