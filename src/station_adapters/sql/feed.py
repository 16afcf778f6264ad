from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from station_adapters.sql.batch import is_id
from station_adapters.sql.chronicle import Chronicle
from station_adapters.sql.tables import device_events, devices
from station_core.devices.activity import Activity, ActivityPage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, RowMapping

    from station_adapters.sql.engine import Database
    from station_core.devices.activity import ActivityFilter


class Feed:
    """The activities of a `DeviceStore`."""

    def __init__(self, database: Database) -> None:
        self._chronicle = Chronicle(database, device_events, device_events.c.created_at)

    async def page(self, wanted: ActivityFilter, *, limit: int, cursor: str | None) -> ActivityPage:
        """See `DeviceStore.activities`."""
        if not all(is_id(one) for one in (wanted.device_id, wanted.zone_id) if one is not None):
            return ActivityPage(items=[], next_cursor=None)
        shown, more = await self._chronicle.page(_conditions(wanted), limit=limit, cursor=cursor)
        return ActivityPage(items=[_activity(row) for row in shown], next_cursor=more)

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See `DeviceStore.forget_activities`."""
        return await self._chronicle.forget(before=before, limit=limit)


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
