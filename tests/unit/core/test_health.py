from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from station_adapters.memory.clock import MemoryClock
from station_core.events import EventBus, LinkStatusChanged
from station_core.health import MQTT, STORE, Health, Phase

if TYPE_CHECKING:
    import pytest


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


async def test_a_part_of_which_several_tell_is_up_once_none_of_them_says_that_it_is_down() -> None:
    bus = EventBus()
    health = Health(bus, MemoryClock())
    told = bus.subscribe(LinkStatusChanged, bound=10)
    health.tell(STORE, up=True)
    health.tell(STORE, up=True, by="journal")
    health.tell(STORE, up=False, detail="its lock is lost")
    health.tell(STORE, up=False, detail="full", by="journal")
    both = health.parts[STORE]
    health.tell(STORE, up=True)
    one = health.parts[STORE]
    health.tell(STORE, up=True, by="journal")

    assert (both.up, both.detail) == (False, "full")
    assert (one.up, one.detail) == (False, "full")
    assert health.parts[STORE].up
    assert [event.up for event in told.take()] == [True, False, True]


async def test_what_is_still_wrong_is_told_when_something_else_is_right_again() -> None:
    health = Health(EventBus(), MemoryClock())
    health.tell(STORE, up=False, detail="its lock is lost")
    health.tell(STORE, up=False, detail="full", by="journal")
    health.tell(STORE, up=True, by="journal")

    assert (health.parts[STORE].up, health.parts[STORE].detail) == (False, "its lock is lost")


async def test_a_part_that_is_expected_is_not_up_by_what_another_says() -> None:
    health = Health(EventBus(), MemoryClock())
    health.expect(STORE, "not reached yet")
    health.tell(STORE, up=True, by="journal")
    before = health.parts[STORE].up
    health.tell(STORE, up=True)

    assert not before
    assert health.parts[STORE].up


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, object]]:
    return [(r.levelno, r.getMessage(), vars(r).get("reason")) for r in caplog.records if r.name == "station.health"]


async def test_a_part_is_logged_once_when_it_is_lost_and_once_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    health = Health(EventBus(), MemoryClock())
    health.phase = Phase.SERVING
    health.tell(MQTT, up=True)
    for reason in ("closed", "refused", "refused", "timed out"):
        health.tell(MQTT, up=False, detail=reason)
    for _ in range(3):
        health.tell(MQTT, up=True)
    health.tell(MQTT, up=False, detail="refused")

    assert lines(caplog) == [
        (logging.WARNING, "part is lost", "closed"),
        (logging.INFO, "part is back", None),
        (logging.WARNING, "part is lost", "refused"),
    ]


async def test_what_was_never_there_is_no_loss_and_what_ends_is_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    health = Health(EventBus(), MemoryClock())
    health.expect(STORE, "not reached yet")
    expected = health.parts[STORE]
    health.tell(STORE, up=True)
    health.expect(STORE, "not reached yet")
    health.phase = Phase.STOPPING
    health.tell(STORE, up=False, detail="closed")

    assert (expected.up, expected.detail) == (False, "not reached yet")
    assert lines(caplog) == []
