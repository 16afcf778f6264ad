"""What goes up to the cloud, and when it's certain."""

from __future__ import annotations

import itertools

import pytest

from station_adapters.cloud import backlog
from station_adapters.memory.clock import settled
from station_adapters.memory.home import MemoryPorts
from station_core.audit.model import SYSTEM
from station_core.identity.model import Role
from tests.unit.cloud.line import FakeLine, carried, claimed, press, presses, shine, waiting


async def test_what_happens_goes_up_at_once_and_in_order() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    async with claimed(ports) as home, carried(home, line):
        home.devices.report_state("lamp", {"on": False})
        home.devices.report_state("lamp", {"on": True})
        home.devices.receive_event("lamp", "user_event", {"action": "press"})
        await ports.clock.advance(0.001)
        home.devices.report_state("lamp", {"on": True})
        await settled(100)
        lamp = home.registry.named("lamp").device
        await home.commands.send(lamp.id, {"action": "toggle"}, actor=SYSTEM)
        await settled(100)
        await home.household.remove(lamp.id)
        await settled(100)

    assert [one.method for one in line.heard] == [
        "device.statusChanged",
        "device.stateChanged",
        "device.stateChanged",
        "device.stateTransition",
        "device.eventReceived",
        "device.eventReceived",
        "device.stateChanged",
        "device.commandSent",
        "device.deleted",
    ]
    assert all("late" not in one.params for one in line.heard)
    assert line.heard[-1].params == {"deviceId": lamp.id, "deviceName": "Lamp", "eventId": line.ids[-1]}
    assert len(set(line.ids)) == 9


async def test_an_invitation_goes_up_at_once_whatever_the_channels() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    async with claimed(ports) as home, carried(home, line):
        await home.outbox.activate(frozenset())
        await home.invites.invite(email="bob@example.org", role=Role.MEMBER)
        await settled(100)

    assert [one.method for one in line.heard] == ["member.invited"]
    assert line.heard[0].params["email"] == "bob@example.org"


async def test_an_event_bears_the_id_of_its_activity() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    async with claimed(ports) as home, carried(home, line):
        await press(home, 1)
        await settled(100)
        feed = (await ports.store.activities()).items

    assert [one.id for one in line.heard] == [item.id for item in reversed(feed)]


async def test_it_waits_until_its_receipt_has_come() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    line.pongs.clear()
    async with claimed(ports) as home, carried(home, line):
        await press(home, 1)
        await shine(home, 1)
        await ports.clock.advance(60)
        unconfirmed = await waiting(ports)
        line.pongs.set()
        await ports.clock.advance(60)
        confirmed = await waiting(ports)

    assert [one.letter.method for one in unconfirmed] == [
        "device.statusChanged",
        "device.eventReceived",
        "device.statusChanged",
        "device.stateChanged",
    ]
    assert confirmed == []
    assert len(line.heard) == 4


async def test_what_waited_goes_up_in_order_late_and_of_states_the_newest() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    async with claimed(ports) as home:
        for n in range(5):
            await press(home, n, "lamp")
            await shine(home, n)
        await ports.clock.advance(11)
        await press(home, 5, "lamp")
        async with carried(home, line):
            await ports.clock.advance(60)
        left = await waiting(ports)

    assert presses(line) == [0, 1, 2, 3, 4, 5]
    assert line.heard[-2].method == "device.stateChanged"
    assert line.heard[-2].params["state"] == {"brightness": 4}
    assert [one.params.get("late") for one in line.heard] == [True] * 7 + [None]
    assert left == []


@pytest.mark.parametrize("goes_after", range(13))
async def test_cut_anywhere_nothing_is_lost_and_what_comes_again_bears_its_id(goes_after: int) -> None:
    ports = MemoryPorts()
    first, second = FakeLine(goes_after), FakeLine()
    async with claimed(ports) as home:
        for n in range(4):
            await press(home, n)
            await shine(home, n)
        async with carried(home, first):
            await ports.clock.advance(0.5)
            for n in range(4, 6):
                await press(home, n)
                await shine(home, n)
            await ports.clock.advance(5)
    async with claimed(ports) as home, carried(home, second):  # restarted meanwhile
        await ports.clock.advance(60)
        left = await waiting(ports)
    seen: dict[str, object] = {}
    for one in [*first.heard, *second.heard]:
        before = seen.setdefault(one.id, (one.method, {k: v for k, v in one.params.items() if k != "late"}))

        assert before == (one.method, {k: v for k, v in one.params.items() if k != "late"})
    fresh = [n for n, _ in itertools.groupby(sorted(presses(first) + presses(second)))]

    assert fresh == list(range(6))
    assert presses(second) == sorted(presses(second))
    assert [*first.of("device.stateChanged"), *second.of("device.stateChanged")][-1]["state"] == {"brightness": 5}
    assert left == []


async def test_what_happens_goes_before_what_waits() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    count = 5_000
    async with claimed(ports) as home:
        for n in range(count):
            home.devices.receive_event("pir", "user_event", {"action": "press", "n": n})
            if home.journal.full:
                await home.journal.drained()
        await home.journal.drained()
        async with carried(home, line):
            await ports.clock.advance(1)
            before = len(presses(line))
            await press(home, -1, "lamp")
            await settled(100)
            after = presses(line)
            await ports.clock.advance(60)
            left = await waiting(ports)

    assert 0 < before <= backlog.RATE
    assert after[-1] == -1
    assert [n for n in presses(line) if n >= 0] == list(range(count))
    assert left == []


async def test_a_slow_cloud_has_no_more_than_a_slice_on_its_way() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    line.pongs.clear()
    async with claimed(ports) as home:
        for n in range(1_000):
            home.devices.receive_event("pir", "user_event", {"action": "press", "n": n})
        await home.journal.drained()
        async with carried(home, line):
            await ports.clock.advance(100)
            on_their_way = len(line.heard)

    assert on_their_way == backlog.SLICE


async def test_of_a_channel_that_is_switched_off_nothing_follows() -> None:
    ports = MemoryPorts()
    line = FakeLine()
    async with claimed(ports) as home:
        for n in range(2_000):
            home.devices.receive_event("pir", "user_event", {"action": "press", "n": n})
        await home.journal.drained()
        async with carried(home, line):
            await ports.clock.advance(0.2)
            await home.channels.choose(["state", "status"])
            before = len(presses(line))
            await press(home, -1)
            await shine(home, 1)
            await ports.clock.advance(60)
            left = await waiting(ports)

    assert 0 < before < 2_000
    assert len(presses(line)) == before
    assert len(line.of("device.stateChanged")) == 1
    assert left == []
