from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.audit import Ledger
from station_adapters.memory.home import MemoryPorts
from tests.unit.core.people import EMAIL, PASSWORD, DistantIdentities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.home import Home
    from station_core.identity.model import Login


@pytest.fixture
def identities() -> DistantIdentities:
    return DistantIdentities(Ledger())


@pytest.fixture
def ports(identities: DistantIdentities) -> MemoryPorts:
    ports = MemoryPorts()
    ports.identities = identities
    ports.store.ledger = ports.provisioning.ledger = ports.audit.ledger = ports.agent.ledger = identities.ledger
    return ports


@pytest.fixture
async def home(ports: MemoryPorts) -> AsyncIterator[Home]:
    async with ports.running() as running:
        yield running


@pytest.fixture
async def owner(home: Home) -> Login:
    return await home.access.register(email=EMAIL, password=PASSWORD, name="Anna")
