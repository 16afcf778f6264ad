from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from station_adapters.sql.batch import is_id
from station_adapters.sql.tables import device_events
from station_core.devices.activity import Activity, ActivityPage
from station_core.errors import Malformed

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from station_adapters.sql.engine import Database


async def page(database: Database, *, device_id: str | None, limit: int, cursor: str | None) -> ActivityPage:
    """See `DeviceStore.activities`; a cursor is the number of the last activity that was shown."""
    wanted = select(device_events).order_by(device_events.c.seq.desc()).limit(limit + 1)
    if cursor is not None:
        wanted = wanted.where(device_events.c.seq < _number(cursor))
    if device_id is not None:
        if not is_id(device_id):
            return ActivityPage(items=[], next_cursor=None)
        wanted = wanted.where(device_events.c.device_id == device_id)
    found = await database.read(lambda connection: connection.execute(wanted).mappings().all())
    shown = found[:limit]
    more = str(shown[-1]["seq"]) if shown and len(found) > limit else None
    return ActivityPage(items=[_activity(row) for row in shown], next_cursor=more)


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 18:  # 64 bits hold any 18 digits
        raise Malformed("This cursor is none of ours.")
    return int(cursor)


def _activity(row: RowMapping) -> Activity:
    return Activity(
        id=row["id"],
        device_id=row["device_id"],
        device_name=row["device_name"],
        device_type=row["device_type"],
        event_type=row["event_type"],
        payload=row["payload"],
        created_at=row["created_at"],
    )
