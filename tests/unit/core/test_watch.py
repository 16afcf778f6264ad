from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_core.audit.model import SYSTEM
from station_core.devices.watch import WATCHERS
from station_core.errors import BrokerUnavailable, CommandInvalid, DeviceUnknown, StoreUnavailable
from tests.unit.core.living import kept, living, overlapping

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.devices.model import Device
    from station_core.home import Home
    from station_core.values import Value

WITHIN = 10.0  # seconds
TOGGLE: dict[str, Value] = {"action": "toggle"}
DIM: dict[str, Value] = {"action": "set_brightness", "brightness": 1}


@pytest.fixture
async def lamp(home: Home) -> Device:
    device = await living(home)
    await living(home, "fan")
    await kept(home.devices.report_state("lamp", {"on": False, "brightness": 50}))
    return device


async def applied(
    ports: MemoryPorts, home: Home, lamp: Device, command: dict[str, Value], *reports: tuple[str, dict[str, Value]]
) -> bool:
    """Whether the command counts as applied when these reports follow it."""

    async def follow() -> None:
        for external_id, report in reports:
            home.devices.report_state(external_id, report)
            await settled()
        await ports.clock.advance(WITHIN)

    sending = home.watch.send(lamp.id, command, actor=SYSTEM, within=WITHIN)
    answer, _ = await overlapping(sending, follow(), turns=25)
    command_id, effect = answer
    assert command_id
    return bool(effect)


@pytest.mark.parametrize(
    ("command", "report"),
    [
        (TOGGLE, {"on": True}),
        ({"action": "turn_on"}, {"on": True}),
        ({"action": "turn_off"}, {"on": False}),
        ({"action": "turn_off"}, {"brightness": 7}),  # it is off, as the report confirms
        (DIM, {"brightness": 1}),
        (DIM, {"brightness": 1.0}),
    ],
    ids=str,
)
async def test_a_command_is_applied_once_a_report_shows_its_effect(
    ports: MemoryPorts, home: Home, lamp: Device, command: dict[str, Value], report: dict[str, Value]
) -> None:
    assert await applied(ports, home, lamp, command, ("fan", {"on": 0}), ("lamp", {"x": 1}), ("lamp", report))


@pytest.mark.parametrize(
    ("command", "reports"),
    [
        (TOGGLE, []),
        (TOGGLE, [("lamp", {"on": False})]),
        (TOGGLE, [("lamp", {"on": 1})]),
        (TOGGLE, [("fan", {"on": True})]),
        (DIM, [("lamp", {"brightness": True})]),
        (DIM, [("lamp", {"brightness": 2})]),
        ({"action": "reboot"}, [("lamp", {"on": True})]),
    ],
    ids=str,
)
async def test_without_a_report_that_shows_its_effect_a_command_was_only_sent(
    ports: MemoryPorts, home: Home, lamp: Device, command: dict[str, Value], reports: list[tuple[str, dict[str, Value]]]
) -> None:
    assert not await applied(ports, home, lamp, command, *reports)


async def test_what_was_reported_before_the_broker_had_the_command_counts_for_nothing(
    ports: MemoryPorts, home: Home, lamp: Device
) -> None:
    for brightness in (1, 2, 1):
        home.devices.report_state("lamp", {"brightness": brightness})

    assert not await applied(ports, home, lamp, DIM)


async def test_a_toggle_of_what_was_never_told_cannot_be_seen(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp"))

    assert not await applied(ports, home, device, TOGGLE, ("lamp", {"on": True}))


async def test_a_device_removed_meanwhile_ends_the_wait(ports: MemoryPorts, home: Home, lamp: Device) -> None:
    (_, effect), _ = await overlapping(
        home.watch.send(lamp.id, TOGGLE, actor=SYSTEM, within=WITHIN), home.household.remove(lamp.id), turns=25
    )

    assert effect is None
    assert ports.clock.monotonic() == 0


async def test_a_device_removed_while_the_command_is_sent_is_not_waited_for(home: Home, lamp: Device) -> None:
    async def remove() -> None:
        home.registry.drop(lamp.id)

    (_, effect), _ = await overlapping(home.watch.send(lamp.id, TOGGLE, actor=SYSTEM, within=WITHIN), remove(), turns=0)

    assert not effect


async def test_a_command_that_is_not_sent_is_not_waited_for(ports: MemoryPorts, home: Home, lamp: Device) -> None:
    ports.link.trouble = BrokerUnavailable()

    with pytest.raises(BrokerUnavailable):
        await home.watch.send(lamp.id, TOGGLE, actor=SYSTEM, within=WITHIN)
    with pytest.raises(CommandInvalid):
        await home.watch.send(lamp.id, {"action": "fly"}, actor=SYSTEM, within=WITHIN)
    with pytest.raises(DeviceUnknown):
        await home.watch.send("nobody", TOGGLE, actor=SYSTEM, within=WITHIN)


async def test_one_too_many_who_wants_to_wait_comes_back_at_once(ports: MemoryPorts, home: Home, lamp: Device) -> None:
    before = list(home.bus._subscriptions)
    async with asyncio.TaskGroup() as group:
        waiting = [
            group.create_task(home.watch.send(lamp.id, TOGGLE, actor=SYSTEM, within=WITHIN)) for _ in range(WATCHERS)
        ]
        await settled()
        _, effect = await home.watch.send(lamp.id, TOGGLE, actor=SYSTEM, within=WITHIN)
        assert not any(task.done() for task in waiting)
        await ports.clock.advance(WITHIN)

    assert not effect
    assert home.bus._subscriptions == before


async def test_who_has_waited_makes_place_for_one_other(ports: MemoryPorts, home: Home, lamp: Device) -> None:
    for _ in range(2):
        assert not await applied(ports, home, lamp, TOGGLE)
    async with asyncio.TaskGroup() as group:
        sending = [
            group.create_task(home.watch.send(lamp.id, TOGGLE, actor=SYSTEM, within=WITHIN))
            for _ in range(WATCHERS + 2)
        ]
        await settled()
        waiting = sum(not task.done() for task in sending)
        await ports.clock.advance(WITHIN)

    assert waiting == WATCHERS


async def test_while_the_store_is_away_a_command_counts_as_sent(ports: MemoryPorts, home: Home, lamp: Device) -> None:
    ports.store.trouble = StoreUnavailable()

    assert not await applied(ports, home, lamp, TOGGLE, ("lamp", {"on": True}))
