from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from station_adapters.sql.batch import is_id
from station_adapters.sql.tables import device_events, devices
from station_core.clock import RELEASED
from station_core.devices.activity import Activity, ActivityPage
from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from station_adapters.sql.engine import Database
    from station_core.devices.activity import ActivityFilter


async def page(database: Database, wanted: ActivityFilter, *, limit: int, cursor: str | None) -> ActivityPage:
    """See `DeviceStore.activities`; a cursor is the number of the last activity that was shown."""
    query = select(device_events).order_by(device_events.c.seq.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(device_events.c.seq < _number(cursor))
    if not all(is_id(one) for one in (wanted.device_id, wanted.zone_id) if one is not None):
        return ActivityPage(items=[], next_cursor=None)
    query = query.where(*_conditions(wanted))
    found = await database.read(lambda connection: connection.execute(query).mappings().all())
    shown = found[:limit]
    more = str(shown[-1]["seq"]) if shown and len(found) > limit else None
    return ActivityPage(items=[_activity(row) for row in shown], next_cursor=more)


async def forget(database: Database, *, before: datetime, limit: int) -> int:
    """See `DeviceStore.forget_activities`."""
    told, at = device_events.c.seq, device_events.c.created_at
    expired = select(told).where(at >= RELEASED, at < before).order_by(at).limit(limit)

    def forget(connection: Connection) -> int:
        doomed = connection.scalars(expired).all()
        if doomed:
            undated = select(told).where(at < RELEASED, told < max(doomed)).limit(limit)
            doomed = [*doomed, *connection.scalars(undated).all()]
            connection.execute(delete(device_events).where(told.in_(doomed)))
        return len(doomed)

    return await database.run(forget)


def _conditions(wanted: ActivityFilter) -> Iterator[ColumnElement[bool]]:
    columns = device_events.c
    if wanted.device_id is not None:
        yield columns.device_id == wanted.device_id
    if wanted.zone_id is not None:
        yield columns.device_id.in_(select(devices.c.id).where(devices.c.zone_id == wanted.zone_id))
    if wanted.event_types:
        yield columns.event_type.in_(sorted(wanted.event_types))
    if wanted.since is not None:
        yield columns.created_at >= wanted.since
    if wanted.until is not None:
        yield columns.created_at < wanted.until


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
