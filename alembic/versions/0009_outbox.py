"""What waits to go up to the cloud."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_outbox"
down_revision = "0008_sessions"

ID = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")
INSTANT = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", SEQ, autoincrement=False, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.Text()),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("written_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
    )
    op.add_column("devices", sa.Column("unsent_state_at", INSTANT))
    op.add_column("devices", sa.Column("unsent_state_seq", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("devices", "unsent_state_seq")
    op.drop_column("devices", "unsent_state_at")
    op.drop_table("outbox")
