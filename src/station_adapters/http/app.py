from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Litestar

from station_adapters.http.activity import activity_routes
from station_adapters.http.agent import agent_routes
from station_adapters.http.answers import Answers
from station_adapters.http.audit import audit_routes
from station_adapters.http.auth import auth_routes
from station_adapters.http.bodies import StationRequest
from station_adapters.http.callers import Callers
from station_adapters.http.cloud import cloud_routes
from station_adapters.http.description import Terms, openapi
from station_adapters.http.device_side import device_side_routes
from station_adapters.http.device_tokens import device_token_routes
from station_adapters.http.devices import device_routes
from station_adapters.http.door import Door
from station_adapters.http.errors import HANDLERS, log_socket_bug
from station_adapters.http.guards import guards_of
from station_adapters.http.health import health_routes
from station_adapters.http.idempotency import Repeats, repeatable
from station_adapters.http.members import member_routes
from station_adapters.http.metrics import metrics_routes
from station_adapters.http.packing import packing
from station_adapters.http.provisioning import provisioning_routes
from station_adapters.http.sessions import session_routes
from station_adapters.http.sockets import live_route
from station_adapters.http.traffic import Traffic
from station_adapters.http.wifi import wifi_routes
from station_adapters.http.zones import zone_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_adapters.http.live import LiveHub
    from station_adapters.http.metrics import Figures
    from station_core.devices.ports import DeviceStore
    from station_core.home import Home


def no_agent(_: str) -> bool:
    """No token is an agent's: for a station without one."""
    return False


def no_picture(_: str) -> str:
    """For a station that can't draw: an empty one."""
    return '<svg xmlns="http://www.w3.org/2000/svg"/>'


def create_app(
    home: Home,
    store: DeviceStore,
    hub: LiveHub,
    *,
    is_agent: Callable[[str], bool] = no_agent,
    traffic: Traffic | None = None,
    figures: Figures | None = None,
    draw: Callable[[str], str] = no_picture,
    callers: Callers | None = None,
) -> Litestar:
    """
    The station's HTTP side (docs/protocols.md §4); *store* is asked for the activity feed alone.

    *is_agent* compares a token with the agent's in constant time; *traffic* counts the requests; without *figures*
    there is no /metrics. *draw* makes the SVG of a QR code; *callers* knows the proxies that are trusted, else none is.
    """
    callers = callers or Callers()
    guards = repeatable(guards_of(home, is_agent, callers))
    app = Litestar(
        route_handlers=[
            health_routes(home, callers),
            auth_routes(home, guards, callers),
            session_routes(home, guards, callers),
            device_routes(home, guards),
            device_token_routes(home, guards),
            zone_routes(home, guards),
            activity_routes(home, store, guards),
            audit_routes(home, guards),
            member_routes(home, guards),
            device_side_routes(home, guards),
            provisioning_routes(home, guards),
            wifi_routes(home, guards),
            agent_routes(home, guards),
            cloud_routes(home, guards, draw),
            live_route(home, hub, callers),
            *([] if figures is None else [metrics_routes(figures, guards)]),
        ],
        exception_handlers=HANDLERS,
        after_exception=[log_socket_bug],
        request_class=StationRequest,
        compression_config=packing(),
        openapi_config=openapi(),
        plugins=[Terms(guards)],
        logging_config=None,
        debug=False,
    )
    repeats = Repeats(app.asgi_handler, Answers(home.clock))
    app.asgi_handler = Door(repeats, home.health, home.clock, traffic or Traffic())
    return app
