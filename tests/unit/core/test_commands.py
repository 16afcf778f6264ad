from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_adapters.memory.link import SentCommand
from station_core.audit.model import SYSTEM, Actor, ActorKind
from station_core.devices.events import DeviceCommandSent
from station_core.devices.model import Introduction
from station_core.devices.presence import SILENCE
from station_core.errors import BrokerUnavailable, CommandInvalid, DeviceOffline, DeviceUnknown, StoreUnavailable
from station_core.journal import JOURNAL_BOUND
from tests.unit.core.living import STATION, kept, living

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.devices.model import Device
    from station_core.home import Home
    from station_core.values import Value

ANNA = Actor(kind=ActorKind.USER, id="anna")
TOGGLE: dict[str, Value] = {"action": "toggle"}


@pytest.fixture
async def lamp(home: Home) -> Device:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp", station_id=STATION))
    return device


async def test_a_command_goes_to_the_device_under_the_station_id_that_it_uses(
    ports: MemoryPorts, home: Home, lamp: Device
) -> None:
    await home.commands.send(lamp.id, {"action": "set_brightness", "brightness": 75}, actor=ANNA)

    assert ports.link.commands == [SentCommand(STATION, "lamp", {"action": "set_brightness", "brightness": 75})]


async def test_a_device_that_told_no_station_id_is_reached_under_our_own(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await kept(home.devices.report_state("lamp", {"on": True}))

    await home.commands.send(device.id, TOGGLE, actor=SYSTEM)

    assert ports.link.commands == [SentCommand("memory", "lamp", TOGGLE)]


async def test_a_device_that_answers_commands_is_told_their_id(ports: MemoryPorts, home: Home, lamp: Device) -> None:
    home.devices.handshake("lamp", Introduction(type="light", firmware_version="1", acks=True))

    command_id = await home.commands.send(lamp.id, TOGGLE, actor=ANNA)

    assert ports.link.commands[0].command == {**TOGGLE, "commandId": command_id}


async def test_what_was_sent_is_told_and_kept_with_its_actor(ports: MemoryPorts, home: Home, lamp: Device) -> None:
    told = home.bus.subscribe(DeviceCommandSent, bound=10)

    command_ids = [await home.commands.send(lamp.id, TOGGLE, actor=actor) for actor in (ANNA, SYSTEM)]
    await settled()

    assert [(e.command, e.command_id, e.actor) for e in told.take()] == [
        (TOGGLE, command_ids[0], "user:anna"),
        (TOGGLE, command_ids[1], "system"),
    ]
    newest = (await ports.store.activities()).items[0]
    assert newest.event_type == "command_sent"
    assert newest.payload == {"command": TOGGLE, "commandId": command_ids[1], "actor": "system"}


@pytest.mark.parametrize("command", [{}, {"action": "fly"}, {"action": "toggle", "x": math.inf}], ids=str)
async def test_a_command_that_the_type_does_not_know_is_not_sent(
    ports: MemoryPorts, home: Home, lamp: Device, command: dict[str, Value]
) -> None:
    with pytest.raises(CommandInvalid):
        await home.commands.send(lamp.id, command, actor=ANNA)

    assert ports.link.commands == []


async def test_a_command_to_nobody_is_refused(home: Home) -> None:
    with pytest.raises(DeviceUnknown):
        await home.commands.send("nobody", TOGGLE, actor=ANNA)


async def test_a_device_that_never_spoke_cannot_be_commanded(home: Home) -> None:
    device = await living(home)

    with pytest.raises(DeviceOffline):
        await home.commands.send(device.id, TOGGLE, actor=ANNA)


async def test_after_a_will_a_device_cannot_be_commanded_until_it_speaks(home: Home, lamp: Device) -> None:
    home.devices.last_will("lamp")
    with pytest.raises(DeviceOffline):
        await home.commands.send(lamp.id, TOGGLE, actor=ANNA)

    home.devices.heartbeat("lamp")

    await home.commands.send(lamp.id, TOGGLE, actor=ANNA)


async def test_after_a_start_a_device_can_be_commanded_for_three_minutes_then_it_must_have_spoken(
    ports: MemoryPorts,
) -> None:
    async with ports.running() as home:
        device = await living(home)
        await kept(home.devices.heartbeat("lamp"))
    async with ports.running() as home:
        await ports.clock.advance(SILENCE)
        await home.commands.send(device.id, TOGGLE, actor=ANNA)
        await ports.clock.advance(1)
        with pytest.raises(DeviceOffline):
            await home.commands.send(device.id, TOGGLE, actor=ANNA)


async def test_a_will_right_after_a_start_counts_too(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        device = await living(home)
    async with ports.running() as home:
        home.devices.last_will("lamp")

        with pytest.raises(DeviceOffline):
            await home.commands.send(device.id, TOGGLE, actor=ANNA)


async def test_a_command_that_the_broker_does_not_take_was_not_sent(
    ports: MemoryPorts, home: Home, lamp: Device
) -> None:
    ports.link.trouble = BrokerUnavailable()
    told = home.bus.subscribe(DeviceCommandSent, bound=10)

    with pytest.raises(BrokerUnavailable):
        await home.commands.send(lamp.id, TOGGLE, actor=ANNA)
    await settled()

    assert told.take() == []


async def test_what_a_device_reports_while_its_command_is_sent_is_not_lost(
    ports: MemoryPorts, home: Home, lamp: Device
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(home.commands.send(lamp.id, TOGGLE, actor=ANNA))
        await asyncio.sleep(0)
        home.devices.report_state("lamp", {"on": True})
    await home.journal.drained()

    stored = await ports.store.find("lamp")
    assert stored is not None
    assert stored[0].state == {"on": True}


async def test_the_activity_of_a_command_outlives_a_device_removed_meanwhile(
    ports: MemoryPorts, home: Home, lamp: Device
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(home.commands.send(lamp.id, TOGGLE, actor=ANNA))
        await asyncio.sleep(0)
        home.registry.drop(lamp.id)
    await home.journal.drained()

    assert (await ports.store.activities()).items[0].event_type == "command_sent"


async def test_commands_go_out_while_the_store_is_away_and_beyond_the_bound_leave_no_activity(
    ports: MemoryPorts, home: Home, lamp: Device, caplog: pytest.LogCaptureFixture
) -> None:
    ports.store.trouble = StoreUnavailable()
    caplog.set_level(logging.ERROR, "station.devices")
    for _ in range(JOURNAL_BOUND + 2):
        await home.commands.send(lamp.id, TOGGLE, actor=ANNA)

    assert len(ports.link.commands) == JOURNAL_BOUND + 2
    assert home.journal.waiting == JOURNAL_BOUND
    assert home.commands.unkept == 2
    assert len(caplog.records) == 1

    ports.store.trouble = None
    await ports.clock.advance(2)
    await home.journal.drained()
    await home.commands.send(lamp.id, TOGGLE, actor=ANNA)
    await home.journal.drained()

    assert home.commands.unkept == 2
    assert home.journal.waiting == 0
