from __future__ import annotations

import pytest

from station_adapters.mqtt import intake as module
from tests.unit.mqtt.intake_bench import Bench


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(module, "SHED_FROM", 4)
    monkeypatch.setattr(module, "FULL_AT", 8)
    monkeypatch.setattr(module, "READ_AGAIN_AT", 2)
    monkeypatch.setattr(module, "TURN", 3)
    return Bench()
