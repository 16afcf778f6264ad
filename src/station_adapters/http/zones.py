from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import Scope  # noqa: TC002  # Litestar reads handlers' annotations

from station_adapters.http.guards import asker
from station_adapters.http.schemas import DeviceOut, ZoneIn, ZoneOut, ZonePage, device_out
from station_adapters.http.waiting import in_time
from station_core.errors import Malformed
from station_core.values import text_weight

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
        after = None if cursor is None else _name_in(cursor)
        found = [zone for zone in home.zones.all() if after is None or zone.folded > after]
        shown = found[:limit]
        more = _cursor(shown[-1].folded) if len(found) > limit else None
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


def _cursor(folded: str) -> str:
    return base64.urlsafe_b64encode(folded.encode()).decode()


def _name_in(cursor: str) -> str:
    """The folded name of the last zone that was shown, whether it's still there or not."""
    text_weight(cursor)
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Malformed("This cursor is none of ours.") from None
