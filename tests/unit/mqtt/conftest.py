from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.home import MemoryPorts
from station_adapters.mqtt import intake as module
from tests.unit.mqtt.inbound_desk import Broker
from tests.unit.mqtt.intake_bench import Bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(module, "SHED_FROM", 4)
    monkeypatch.setattr(module, "FULL_AT", 8)
    monkeypatch.setattr(module, "READ_AGAIN_AT", 2)
    monkeypatch.setattr(module, "TURN", 3)
    return Bench()


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    ports = MemoryPorts()
    async with ports.running() as home:
        await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        broker = Broker(ports, home)
        broker.reconnect(session_kept=False)
        yield broker
