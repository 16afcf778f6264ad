"""The tables of today (docs/protocols.md §6); alembic/versions/ makes them, a test compares both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    false,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

if TYPE_CHECKING:
    from sqlalchemy import Dialect

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """Since 1970, exact: how SQLite keeps a time, sortable."""
    return (instant - EPOCH) // MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware time, to the microsecond: timestamptz in PostgreSQL, microseconds since 1970 in SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """See `TypeDecorator`."""
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        """See `TypeDecorator`."""
        return value if value is None or dialect.name == "postgresql" else microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """See `TypeDecorator`."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            instant: datetime = value.astimezone(UTC)
            return instant
        return EPOCH + int(value) * MICROSECOND


Seq: Final = BigInteger().with_variant(Integer(), "sqlite")  # there only INTEGER is the row's own number
Id: Final = Text().with_variant(Uuid(as_uuid=False), "postgresql")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_folded", Text, nullable=False, unique=True),  # the databases fold case each in its own way
    Column("name", Text, nullable=False),
    Column("role", Text, CheckConstraint("role IN ('owner', 'admin', 'member')", name="role"), nullable=False),
    Column("password_hash", Text),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("cloud_user_id", Text, unique=True, index=True),
    Column("linked", Boolean, nullable=False, server_default=false()),  # the cloud's user is one who was here before
    Column("station_password_hash", Text),
    Column("synced_at", Instant),
    Column("created_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("device", Text),
    Column("user_agent", Text),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    # One for a session: its family tells those that were used up before.
    Column("family", Text, primary_key=True),  # SHA-256 of what stays the same
    Column("token", Text, nullable=False),  # SHA-256 of what is used up
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("session_id", Id, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("expires_at", Instant, nullable=False),
)

station = Table(
    "station",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one"), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("owner_id", Id, ForeignKey("users.id")),
)

station_members = Table(
    "station_members",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, CheckConstraint("role IN ('owner', 'admin', 'member')", name="role"), nullable=False),
)

invites = Table(
    "invites",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_folded", Text, nullable=False, unique=True),
    Column("role", Text, CheckConstraint("role IN ('admin', 'member')", name="role"), nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

zones = Table(
    "zones",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_folded", Text, unique=True, index=True),  # always there: SQLite can't add a column that must be
)

devices = Table(
    "devices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("external_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("zone_id", Id, ForeignKey("zones.id", ondelete="SET NULL"), index=True),
    Column("status", Text, CheckConstraint("status IN ('online', 'offline')", name="status"), nullable=False),
    Column("last_known_state", JSON, nullable=False),
    Column("firmware_version", Text),
    Column("chip", Text),
    Column("kit_tag", Text),
    Column("last_heartbeat_at", Instant),
    Column("station_id", Text),  # the one that the device itself uses
    Column("session", BigInteger),
    Column("acks", Boolean, nullable=False),
    Column("device_token", Text, unique=True),  # its SHA-256
    Column("broker_digest", Text),
    Column("next_token", Text),  # what it's to have next, beside the present one
    Column("next_broker_digest", Text),
    Column("next_written", Boolean),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Of the newest state that the cloud hasn't heard: its time, and the letter or activity that came before it.
    Column("unsent_state_at", Instant),
    Column("unsent_state_seq", BigInteger),
    # The fillfactor is only in the migration: for it SQLAlchemy would load PostgreSQL's dialect over SQLite, 2.5 MB.
)

device_types = Table(
    "device_types",
    metadata,
    Column("id", Text, primary_key=True),
    Column("category", Text, nullable=False),
    Column("periodic", Boolean, nullable=False),
    Column("capabilities", JSON, nullable=False),
    Column("commands", JSON, nullable=False),
    Column("events", JSON, nullable=False),
)

device_events = Table(
    "device_events",
    metadata,
    # In the order of happening, which no clock is trusted with; the id has no index, for nobody looks one up by it.
    Column("seq", Seq, primary_key=True, autoincrement=False),
    Column("id", Id, nullable=False),
    Column("device_id", Id),  # of a device that may be gone: no foreign key
    Column("event_type", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("device_name", Text, nullable=False),
    Column("device_type", Text),
    Column("created_at", Instant, nullable=False),
    Index(None, "device_id", "seq"),
    Index(None, "event_type", "seq"),
    Index(None, "created_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=False),  # of one order with device_events
    Column("id", Id, nullable=False),  # of an event that is an activity too, the activity's
    Column("rank", SmallInteger, nullable=False),
    Column("channel", Text),
    Column("method", Text, nullable=False),
    Column("params", JSON, nullable=False),
    Column("size", Integer, nullable=False),  # of params, in bytes
    Column("written_at", Instant, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one"), primary_key=True, autoincrement=False),
    Column("last_batch", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),  # of device_events
    Column("epoch", BigInteger, nullable=False),  # one more each time a station loads: who loaded before writes no more
)

journal_deliveries = Table(
    "journal_deliveries",
    metadata,
    # One row for a batch, not for a delivery: a third of the cost of a batch of messages that wait for their PUBACK.
    Column("batch", Seq, primary_key=True, autoincrement=False),
    Column("deliveries", LargeBinary, nullable=False),  # pairs of packet id and CRC-32, each 4 bytes, little-endian
)

provisioning_reservations = Table(
    "provisioning_reservations",
    metadata,
    Column("device_id", Id, primary_key=True),  # reserved before the device is there: no foreign key
)

station_settings = Table(
    "station_settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # sealed where it's a secret
)

cloud_config = Table(
    "cloud_config",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one"), primary_key=True, autoincrement=False),
    Column("station_token", Text, nullable=False),  # sealed
    Column("claimed_at", Instant, nullable=False),
)

agent_restarts = Table(
    "agent_restarts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("what", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("error", Text),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Seq, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text),  # of whom or what may be gone, or never was: no foreign keys
    Column("actor_name", Text),
    Column("action", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text),
    Column("subject_name", Text),
    Column("result", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Index(None, "actor_id", "seq"),
    Index(None, "subject_id", "seq"),
    Index(None, "action", "seq"),
    Index(None, "at"),
)
