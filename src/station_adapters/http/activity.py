from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from litestar import Router, get
from litestar.params import FromPath, FromQuery, QueryParameter

from station_adapters.http.instants import instant
from station_adapters.http.schemas import ActivityPageOut, activity_page
from station_adapters.http.waiting import in_time
from station_core.devices.activity import ActivityFilter
from station_core.values import text_weight

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.devices.ports import DeviceStore
    from station_core.home import Home


EventType = Literal["status_changed", "command_sent", "event_received", "state_transition"]
Limit = Annotated[int, QueryParameter(ge=1, le=500)]


def activity_routes(home: Home, store: DeviceStore, guards: Guards) -> Router:
    """The feed: what the household can read afterwards."""

    @get("/api/devices/{device_id:str}/events", before_request=guards.member)
    async def of_device(
        device_id: FromPath[str], limit: Limit = 50, cursor: FromQuery[str | None] = None
    ) -> ActivityPageOut:
        """Of a device that the household has."""
        home.household.device(device_id)
        return await _page(ActivityFilter(device_id=device_id), limit, cursor)

    @get("/api/device-events", before_request=guards.member)
    async def of_all(
        device_id: Annotated[str | None, QueryParameter(name="deviceId")] = None,
        zone_id: Annotated[str | None, QueryParameter(name="zoneId")] = None,
        event_type: Annotated[list[EventType] | None, QueryParameter(name="eventType")] = None,
        since: Annotated[str | None, QueryParameter(name="from")] = None,
        until: Annotated[str | None, QueryParameter(name="to")] = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> ActivityPageOut:
        """Of all, of one (also one that is gone), of those in a zone now; of some kinds; from a time on, before one."""
        if zone_id is not None:
            home.zones.zone(zone_id)
        if device_id is not None:
            text_weight(device_id)
        wanted = ActivityFilter(
            device_id=device_id,
            zone_id=zone_id,
            event_types=frozenset(event_type or ()),
            since=instant("from", since),
            until=instant("to", until),
        )
        return await _page(wanted, limit, cursor)

    async def _page(wanted: ActivityFilter, limit: int, cursor: str | None) -> ActivityPageOut:
        if cursor is not None:
            text_weight(cursor)
        async with in_time():
            return activity_page(await store.activities(wanted, limit=limit, cursor=cursor))

    return Router("/", route_handlers=[of_device, of_all], tags=["devices"])
