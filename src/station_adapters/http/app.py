from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from station_adapters.http.activity import activity_routes
from station_adapters.http.auth import auth_routes
from station_adapters.http.bodies import StationRequest
from station_adapters.http.device_side import device_side_routes
from station_adapters.http.devices import device_routes
from station_adapters.http.door import Door
from station_adapters.http.errors import HANDLERS
from station_adapters.http.guards import guards_of
from station_adapters.http.health import health_routes
from station_adapters.http.sockets import live_route

if TYPE_CHECKING:
    from station_adapters.http.live import LiveHub
    from station_core.devices.ports import DeviceStore
    from station_core.home import Home


def create_app(home: Home, store: DeviceStore, hub: LiveHub) -> Litestar:
    """The station's HTTP side (docs/protocols.md §4); *store* is asked for the activity feed alone."""
    guards = guards_of(home)
    app = Litestar(
        route_handlers=[
            health_routes(home),
            auth_routes(home, guards),
            device_routes(home, guards),
            activity_routes(home, store, guards),
            device_side_routes(home, guards),
            live_route(home, hub),
        ],
        exception_handlers=HANDLERS,
        request_class=StationRequest,
        # Its other pages load scripts from elsewhere: a house without internet would see them empty.
        openapi_config=OpenAPIConfig(title="station", version="1", path="/schema", render_plugins=[JsonRenderPlugin()]),
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = Door(app.asgi_handler, home.health)
    return app
