"""As whom the cloud knows a user, and by which password they get in on the LAN."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_cloud_members"
down_revision = "0011_agent_restarts"

INSTANT = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("users", sa.Column("cloud_user_id", sa.Text()))
    op.add_column("users", sa.Column("linked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("users", sa.Column("station_password_hash", sa.Text()))
    op.add_column("users", sa.Column("synced_at", INSTANT))
    op.create_index("ix_users_cloud_user_id", "users", ["cloud_user_id"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_users_cloud_user_id", "users")
    op.drop_column("users", "synced_at")
    op.drop_column("users", "station_password_hash")
    op.drop_column("users", "linked")
    op.drop_column("users", "cloud_user_id")
