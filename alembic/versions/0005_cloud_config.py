"""Which cloud has claimed the station."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_cloud_config"
down_revision = "0004_provisioning"

INSTANT = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "cloud_config",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("station_token", sa.Text(), nullable=False),
        sa.Column("claimed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cloud_config"),
        sa.CheckConstraint("id = 1", name=op.f("ck_cloud_config_one")),
    )


def downgrade() -> None:
    op.drop_table("cloud_config")
