from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, delete, post
from litestar.params import FromPath  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.guards import asker
from station_adapters.http.idempotency import BEARS_A_SECRET
from station_adapters.http.packing import NEVER_PACKED
from station_adapters.http.schemas import DeviceToken
from station_adapters.http.waiting import in_time

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.home import Home


def device_token_routes(home: Home, guards: Guards) -> Router:
    """What devices present of themselves: taken from them, or given anew."""

    @post("/api/devices/{device_id:str}/credentials", before_request=guards.admin, opt=BEARS_A_SECRET)
    async def renew(device_id: FromPath[str], scope: Scope) -> DeviceToken:
        """A token for a device that has none any more; its MQTT credentials work when the answer comes."""
        async with in_time():
            return DeviceToken(device_token=await home.household.renew(device_id, by=asker(scope)))

    @delete("/api/devices/{device_id:str}/credentials", before_request=guards.admin)
    async def revoke(device_id: FromPath[str], scope: Scope) -> None:
        """Its token opens nothing any more; the device stays."""
        async with in_time():
            await home.household.revoke(device_id, by=asker(scope))

    return Router("/", route_handlers=[renew, revoke], tags=["devices"], opt=NEVER_PACKED)
