from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from station_adapters.http.app import create_app
from station_adapters.http.live import LiveHub
from station_adapters.memory.home import MemoryPorts
from tests.contract.http_rig import HttpRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    """The HTTP side without a server: the application is called as a server would."""
    ports = MemoryPorts()
    async with ports.running() as home:
        hub = LiveHub(home)
        transport = httpx.ASGITransport(create_app(home, ports.store, hub))  # type: ignore[arg-type]  # an ASGI app
        async with httpx.AsyncClient(base_url="http://station", transport=transport) as http:
            yield HttpRig(ports, home, hub, 0, http)
