"""A user may be disabled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_disabled_users"
down_revision = "0002_zones_and_feed"


def upgrade() -> None:
    op.add_column("users", sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("users", "disabled")
