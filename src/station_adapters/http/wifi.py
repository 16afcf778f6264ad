from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, get, post, put
from litestar.params import JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.guards import asker
from station_adapters.http.provisioning_schemas import WifiIn, WifiOut
from station_adapters.http.waiting import in_time
from station_core.audit.model import AGENT
from station_core.provisioning.model import checked_wifi

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.audit.model import Actor
    from station_core.home import Home


def wifi_routes(home: Home, guards: Guards) -> Router:
    """The network that new devices are told to join."""

    @get("/api/wifi", before_request=guards.station_admin)
    async def wifi() -> WifiOut:
        """The network that new devices are told to join; the password is never read back."""
        async with in_time():
            known = await home.provisioning_store.wifi()
        return WifiOut(ssid=None if known is None else known.ssid)

    @put("/api/wifi", before_request=guards.station_admin)
    async def tell_wifi(data: JSONBody[WifiIn], scope: Scope) -> WifiOut:
        """Tell it."""
        return await _keep(data, asker(scope))

    @post("/api/settings/agent", before_request=guards.agent, status_code=200)
    async def tell_wifi_by_agent(data: JSONBody[WifiIn]) -> WifiOut:
        """The agent tells the network that the station itself is in."""
        return await _keep(data, AGENT)

    async def _keep(data: WifiIn, by: Actor) -> WifiOut:
        told = checked_wifi(data.ssid, data.password)
        async with in_time():
            await home.provisioning.tell_wifi(told, by=by)
        return WifiOut(ssid=told.ssid)

    return Router("/", route_handlers=[wifi, tell_wifi, tell_wifi_by_agent], tags=["provisioning"])
