from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, get, put
from litestar.params import JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.guards import asker
from station_adapters.http.provisioning_schemas import WifiIn, WifiOut
from station_adapters.http.waiting import in_time
from station_core.provisioning.model import checked_wifi

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.home import Home


def wifi_routes(home: Home, guards: Guards) -> Router:
    """The network that new devices are told to join, and that the agent shall bring the host into."""

    @get("/api/wifi", before_request=guards.station_admin)
    async def wifi() -> WifiOut:
        """The network; the password is never read back."""
        async with in_time():
            known = await home.network.wifi()
        return WifiOut(ssid=None if known is None else known.ssid)

    @put("/api/wifi", before_request=guards.station_admin)
    async def tell_wifi(data: JSONBody[WifiIn], scope: Scope) -> WifiOut:
        """Tell it."""
        told = checked_wifi(data.ssid, data.password)
        async with in_time():
            return WifiOut(ssid=(await home.network.tell(told, by=asker(scope))).ssid)

    return Router("/", route_handlers=[wifi, tell_wifi], tags=["provisioning"])
