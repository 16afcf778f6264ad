"""Which devices are reserved only, and settings that people make."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004_provisioning"
down_revision = "0003_disabled_users"

ID = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "provisioning_reservations",
        sa.Column("device_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_provisioning_reservations"),
    )
    op.create_table(
        "station_settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_station_settings"),
    )


def downgrade() -> None:
    op.drop_table("station_settings")
    op.drop_table("provisioning_reservations")
