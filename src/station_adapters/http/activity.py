from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from litestar import Router, get
from litestar.params import FromPath, FromQuery, QueryParameter

from station_adapters.http.schemas import ActivityPageOut, activity_page
from station_adapters.http.waiting import in_time
from station_core.values import text_weight

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.devices.ports import DeviceStore
    from station_core.home import Home


Limit = Annotated[int, QueryParameter(ge=1, le=500)]


def activity_routes(home: Home, store: DeviceStore, guards: Guards) -> Router:
    """The feed: what the household can read afterwards."""

    @get("/api/devices/{device_id:str}/events", before_request=guards.member)
    async def of_device(
        device_id: FromPath[str], limit: Limit = 50, cursor: FromQuery[str | None] = None
    ) -> ActivityPageOut:
        """Of a device that the household has."""
        home.household.device(device_id)
        return await _page(device_id, limit, cursor)

    @get("/api/device-events", before_request=guards.member)
    async def of_all(
        device_id: Annotated[str | None, QueryParameter(name="deviceId")] = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> ActivityPageOut:
        """Of all, or of one that may be gone."""
        return await _page(device_id, limit, cursor)

    async def _page(device_id: str | None, limit: int, cursor: str | None) -> ActivityPageOut:
        for text in (device_id, cursor):
            if text is not None:
                text_weight(text)
        async with in_time():
            return activity_page(await store.activities(device_id=device_id, limit=limit, cursor=cursor))

    return Router("/", route_handlers=[of_device, of_all], tags=["devices"])
