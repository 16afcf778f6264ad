"""Users and their sessions, devices and what happened to them, the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_first"
down_revision = None

ID = sa.Text().with_variant(postgresql.UUID(as_uuid=False), "postgresql")
INSTANT = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ROLES = "role IN ('owner', 'admin', 'member')"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_folded", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email_folded", name="uq_users_email_folded"),
        sa.CheckConstraint(ROLES, name=op.f("ck_users_role")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("token", name="pk_refresh_tokens"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_refresh_tokens_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_refresh_tokens_session_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_refresh_tokens_user_id", "refresh_tokens", ["user_id"])
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    station = op.create_table(
        "station",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", ID),
        sa.PrimaryKeyConstraint("id", name="pk_station"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_station_owner_id"),
        sa.CheckConstraint("id = 1", name=op.f("ck_station_one")),
    )
    op.bulk_insert(station, [{"id": 1, "name": "Station"}])
    op.create_table(
        "station_members",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_station_members"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_station_members_user_id", ondelete="CASCADE"),
        sa.CheckConstraint(ROLES, name=op.f("ck_station_members_role")),
    )
    op.create_table(
        "zones",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_zones"),
    )
    _create_devices()
    _create_journal()


def downgrade() -> None:
    for table in (
        "journal_deliveries",
        "journal",
        "device_events",
        "device_types",
        "devices",
        "zones",
        "station_members",
        "station",
        "refresh_tokens",
        "sessions",
        "users",
    ):
        op.drop_table(table)


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", ID, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("zone_id", ID),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_known_state", sa.JSON(), nullable=False),
        sa.Column("firmware_version", sa.Text()),
        sa.Column("chip", sa.Text()),
        sa.Column("kit_tag", sa.Text()),
        sa.Column("last_heartbeat_at", INSTANT),
        sa.Column("station_id", sa.Text()),
        sa.Column("session", sa.BigInteger()),
        sa.Column("acks", sa.Boolean(), nullable=False),
        sa.Column("device_token", sa.Text()),
        sa.Column("broker_digest", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("external_id", name="uq_devices_external_id"),
        sa.UniqueConstraint("device_token", name="uq_devices_device_token"),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name="fk_devices_zone_id", ondelete="SET NULL"),
        sa.CheckConstraint("status IN ('online', 'offline')", name=op.f("ck_devices_status")),
        # Room for a second version of each row in its page: a report then touches no index.
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_devices_zone_id", "devices", ["zone_id"])
    op.create_table(
        "device_types",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("periodic", sa.Boolean(), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("commands", sa.JSON(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_device_types"),
    )
    op.create_table(
        "device_events",
        sa.Column("seq", SEQ, autoincrement=False, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("device_name", sa.Text(), nullable=False),
        sa.Column("device_type", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_device_events"),
    )
    op.create_index("ix_device_events_device_id_seq", "device_events", ["device_id", "seq"])


def _create_journal() -> None:
    journal = op.create_table(
        "journal",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last_batch", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sa.CheckConstraint("id = 1", name=op.f("ck_journal_one")),
    )
    op.bulk_insert(journal, [{"id": 1, "last_batch": 0, "last_seq": 0, "epoch": 0}])
    op.create_table(
        "journal_deliveries",
        sa.Column("batch", SEQ, autoincrement=False, nullable=False),
        sa.Column("deliveries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch", name="pk_journal_deliveries"),
    )
