from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.home import MemoryPorts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.home import Home


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


@pytest.fixture
async def home(ports: MemoryPorts) -> AsyncIterator[Home]:
    async with ports.running() as running:
        yield running
