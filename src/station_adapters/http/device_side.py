from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, post
from litestar.params import JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.schemas import Accepted, EventIn, StateIn
from station_core.errors import DeviceUnknown, Unauthenticated

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.home import Home


def device_side_routes(home: Home, guards: Guards) -> Router:
    """
    What devices say by HTTP: the payloads of MQTT (docs/protocols.md §1), answered after the commit.

    503 means "unknown, send again": what was reported may still be kept.
    """

    @post("/api/device/state", before_request=guards.device, status_code=202)
    async def state(data: JSONBody[StateIn], scope: Scope) -> Accepted:
        """A report."""
        await home.journal.kept(home.devices.report_state(_who(scope), data.state))
        return Accepted()

    @post("/api/device/events", before_request=guards.device, status_code=202)
    async def event(data: JSONBody[EventIn], scope: Scope) -> Accepted:
        """An event."""
        await home.journal.kept(home.devices.receive_event(_who(scope), data.event, data.data))
        return Accepted()

    def _who(scope: Scope) -> str:
        """The external id of the device whose token it was; its body may have taken longer than its membership."""
        try:
            return home.household.device(scope["auth"]).external_id
        except DeviceUnknown:
            raise Unauthenticated from None

    return Router("/", route_handlers=[state, event], tags=["device"])
