from __future__ import annotations

from station_adapters.http.app import create_app
from station_adapters.http.live import LiveHub
from station_adapters.memory.home import MemoryPorts
from station_app.cli.output import Json, document


def openapi(*, json: Json = False) -> None:
    """See `station openapi --help`."""
    ports = MemoryPorts()
    home = ports.home()
    app = create_app(home, ports.store, LiveHub(home))
    document(app.openapi_schema.to_schema(), as_json=json)
