"""What goes up to the cloud when it's too much, or something is away."""

from __future__ import annotations

import itertools

from station_adapters.cloud import news
from station_adapters.memory.clock import settled
from station_adapters.memory.home import MemoryPorts
from station_core.errors import StoreUnavailable
from tests.unit.cloud.line import FakeLine, carried, claimed, press, presses, shine, waiting


async def test_what_comes_faster_than_it_goes_up_waits_and_states_give_way_to_newer_ones() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    count = news.BEHIND + 1_000
    async with claimed(ports) as home, carried(home, line) as courier:
        line.open.clear()
        for n in range(count):
            home.devices.report_state("lamp", {"brightness": n})
            if n % 1_000 == 0:
                await press(home, n)
        await home.journal.drained()
        line.open.set()
        await ports.clock.advance(60)
        left = await waiting(ports)

    assert presses(line) == list(range(0, count, 1_000))
    assert line.of("device.stateChanged")[-1]["state"] == {"brightness": count - 1}
    assert courier.counts["superseded"] > 0
    assert left == []


async def test_what_is_too_much_for_the_line_goes_up_from_the_outbox() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    count = news.BEHIND + 1_000
    async with claimed(ports) as home, carried(home, line) as courier:
        line.open.clear()
        for n in range(count):
            home.devices.receive_event("pir", "user_event", {"action": "press", "n": n})
            if n % 1_000 == 0:
                await home.journal.drained()
        await home.journal.drained()
        line.open.set()
        await ports.clock.advance(60)
        left = await waiting(ports)

    assert [n for n, _ in itertools.groupby(presses(line))] == list(range(count))
    assert courier.counts["fell_behind"] > 0
    assert left == []


async def test_while_the_store_is_away_all_waits() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    async with claimed(ports) as home:
        await press(home, 1)
        ports.outbox.trouble = StoreUnavailable()
        async with carried(home, line):
            await ports.clock.advance(20)
            nothing = len(line.heard)
            ports.outbox.trouble = None
            await ports.clock.advance(20)
            await press(home, 2)
            await settled(100)
            ports.outbox.trouble = StoreUnavailable()
            await ports.clock.advance(20)
            ports.outbox.trouble = None
            await ports.clock.advance(20)
            left = await waiting(ports)

    assert nothing == 0
    assert presses(line) == [1, 2]
    assert left == []


async def test_a_cloud_that_is_silent_slows_no_device() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    async with claimed(ports) as home, carried(home, line):
        line.open.clear()
        line.pongs.clear()
        for n in range(100):
            await press(home, n)
            await shine(home, n)
        kept = (await ports.store.activities(limit=500)).items

    assert len([item for item in kept if item.event_type == "event_received"]) == 100


async def test_a_day_without_the_cloud_loses_nothing() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    times = 24 * 6
    async with claimed(ports) as home:
        for n in range(times):
            ports.clock.leap(590)
            await ports.clock.advance(10)
            home.devices.report_state("lamp", {"brightness": n, "on": n % 6 < 3})
            home.devices.receive_event("pir", "user_event", {"action": "press", "n": n})
            await home.journal.drained()
        async with carried(home, line):
            await ports.clock.advance(60)
            left = await waiting(ports)

    told = [params["data"] for params in line.of("device.eventReceived") if params["event"] == "user_event"]

    assert [data["n"] for data in told] == list(range(times))
    assert len(line.of("device.stateTransition")) == 2 * 24 - 1
    assert [params["state"]["brightness"] for params in line.of("device.stateChanged")] == [times - 1]
    assert all(one.params.get("late") for one in line.heard[:-8])
    assert len(set(line.ids)) == len(line.ids)
    assert left == []
