from __future__ import annotations

from station_adapters.memory.clock import MemoryClock
from station_core.events import EventBus, LinkStatusChanged
from station_core.health import MQTT, STORE, Health, Phase


async def test_the_station_is_ready_when_it_serves_and_its_vital_parts_are_up() -> None:
    health = Health(EventBus(), MemoryClock())
    assert not health.ready
    health.tell(STORE, up=True)
    health.tell(MQTT, up=True)
    assert not health.ready

    health.phase = Phase.SERVING

    assert health.ready


async def test_a_part_that_is_not_vital_changes_nothing() -> None:
    health = Health(EventBus(), MemoryClock())
    health.phase = Phase.SERVING
    health.tell(STORE, up=True)
    health.tell(MQTT, up=True)

    health.tell("cloud", up=False, detail="no answer")

    assert health.ready
    assert health.parts["cloud"].detail == "no answer"


async def test_a_part_that_goes_or_comes_back_is_told_once() -> None:
    bus, clock = EventBus(), MemoryClock()
    health = Health(bus, clock)
    told = bus.subscribe(LinkStatusChanged, bound=10)

    health.tell(STORE, up=True)
    health.tell(STORE, up=True)
    health.tell(STORE, up=False, detail="refused")
    await clock.advance(60)
    health.tell(STORE, up=False, detail="timed out")

    assert [(event.link, event.up) for event in told.take()] == [(STORE, True), (STORE, False)]
    assert health.parts[STORE].detail == "timed out"
    assert (clock.now() - health.parts[STORE].since).total_seconds() == 60
