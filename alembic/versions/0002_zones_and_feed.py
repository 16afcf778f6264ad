"""Zones are told apart by name; the feed is found by kind and by time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_zones_and_feed"
down_revision = "0001_first"

ZONES = sa.table("zones", sa.column("id"), sa.column("name"), sa.column("name_folded"))


def upgrade() -> None:
    op.add_column("zones", sa.Column("name_folded", sa.Text()))
    _fold_names()
    op.create_index("ix_zones_name_folded", "zones", ["name_folded"], unique=True)
    op.create_index("ix_device_events_event_type_seq", "device_events", ["event_type", "seq"])
    op.create_index("ix_device_events_created_at", "device_events", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_device_events_created_at", "device_events")
    op.drop_index("ix_device_events_event_type_seq", "device_events")
    op.drop_index("ix_zones_name_folded", "zones")
    op.drop_column("zones", "name_folded")


def _fold_names() -> None:
    """No route has made zones before, but somebody may have by hand: two of one name get a number."""
    connection = op.get_bind()
    taken: set[str] = set()
    for zone_id, name in connection.execute(sa.select(ZONES.c.id, ZONES.c.name)).all():
        free, number = name, 1
        while free.casefold() in taken:
            number += 1
            free = f"{name} {number}"
        taken.add(free.casefold())
        change = sa.update(ZONES).where(ZONES.c.id == zone_id).values(name=free, name_folded=free.casefold())
        connection.execute(change)
