"""What a device is to have next beside its present token."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_successors"
down_revision = "0006_audit"


def upgrade() -> None:
    op.add_column("devices", sa.Column("next_token", sa.Text()))
    op.add_column("devices", sa.Column("next_broker_digest", sa.Text()))
    op.add_column("devices", sa.Column("next_written", sa.Boolean()))


def downgrade() -> None:
    """A token that a device was given and hasn't proven yet takes the place of the one that it overwrote."""
    op.execute("UPDATE devices SET device_token = next_token, broker_digest = next_broker_digest WHERE next_written")
    op.drop_column("devices", "next_written")
    op.drop_column("devices", "next_broker_digest")
    op.drop_column("devices", "next_token")
