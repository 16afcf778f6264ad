from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import Scope  # noqa: TC002  # Litestar reads handlers' annotations

from station_adapters.http.cursors import cursor_of, text_in
from station_adapters.http.guards import asker
from station_adapters.http.schemas import ZoneIn, ZoneOut, ZonePage
from station_adapters.http.waiting import in_time
from station_adapters.shapes.devices import DeviceOut, device_out

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.devices.zones import Zone
    from station_core.home import Home

Limit = Annotated[int, QueryParameter(ge=1, le=500)]


def zone_routes(home: Home, guards: Guards) -> Router:
    """The zones of the home."""

    @get("/api/zones", before_request=guards.member, sync_to_thread=False)
    def zones(limit: Limit = 50, cursor: FromQuery[str | None] = None) -> ZonePage:
        """All, by name."""
        after = None if cursor is None else text_in(cursor)
        found = [zone for zone in home.zones.all() if after is None or zone.folded > after]
        shown = found[:limit]
        more = cursor_of(shown[-1].folded) if len(found) > limit else None
        return ZonePage(items=[_out(zone) for zone in shown], next_cursor=more)

    @get("/api/zones/{zone_id:str}", before_request=guards.member, sync_to_thread=False)
    def zone(zone_id: FromPath[str]) -> ZoneOut:
        """One of them."""
        return _out(home.zones.zone(zone_id))

    @get("/api/zones/{zone_id:str}/devices", before_request=guards.member, sync_to_thread=False)
    def devices(zone_id: FromPath[str]) -> list[DeviceOut]:
        """The devices in it, by name."""
        return [device_out(device) for device in home.zones.devices(zone_id)]

    @post("/api/zones", before_request=guards.admin)
    async def add(data: JSONBody[ZoneIn], scope: Scope) -> ZoneOut:
        """A new one."""
        async with in_time():
            return _out(await home.zones.add(data.name, by=asker(scope)))

    @patch("/api/zones/{zone_id:str}", before_request=guards.admin)
    async def change(zone_id: FromPath[str], data: JSONBody[ZoneIn], scope: Scope) -> ZoneOut:
        """Its name."""
        async with in_time():
            return _out(await home.zones.rename(zone_id, data.name, by=asker(scope)))

    @delete("/api/zones/{zone_id:str}", before_request=guards.admin)
    async def remove(zone_id: FromPath[str], scope: Scope) -> None:
        """Forget it; its devices stay, in no zone."""
        async with in_time():
            await home.zones.remove(zone_id, by=asker(scope))

    return Router("/", route_handlers=[zones, zone, devices, add, change, remove], tags=["zones"])


def _out(zone: Zone) -> ZoneOut:
    return ZoneOut(id=zone.id, name=zone.name)
