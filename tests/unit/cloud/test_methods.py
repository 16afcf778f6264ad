"""The methods that the cloud calls."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from station_adapters.cloud.methods import methods
from station_adapters.memory.clock import settled
from station_adapters.memory.home import MemoryPorts
from station_adapters.memory.link import MemoryLink
from station_core.cloud.channels import EventChannel
from station_core.devices.events import DeviceCommandSent
from station_core.errors import BrokerUnavailable, CommandInvalid, DeviceOffline, DeviceUnknown, Malformed
from tests.contract.golden import WIRE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.devices.model import Device
    from station_core.home import Home
    from station_core.values import Value


async def lamp_of(home: Home) -> Device:
    lamp, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    home.devices.report_state("lamp", {"on": True})
    await home.journal.drained()
    return lamp


def wire(result: object) -> Any:
    return json.loads(msgspec.json.encode(result))


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        ("toggle", {"action": "toggle"}),
        ({"action": "set_brightness", "brightness": 75}, {"action": "set_brightness", "brightness": 75}),
    ],
)
async def test_a_command_reaches_the_device_as_the_clouds(command: Any, sent: dict[str, object]) -> None:
    ports = MemoryPorts()
    async with ports.running() as home:
        lamp = await lamp_of(home)
        with home.bus.subscribe(DeviceCommandSent, bound=10) as news:
            answer = await methods(home)["device.command"]({"deviceId": lamp.id, "command": command})
            await home.journal.drained()
            [told] = news.take()

    assert answer == {"status": "ok"}
    assert [one.command for one in ports.link.commands] == [sent]
    assert (told.actor, told.command) == ("cloud", sent)


@pytest.mark.parametrize(
    "params",
    [
        None,
        [],
        ["lamp", "toggle"],
        {},
        {"deviceId": "x"},
        {"command": "toggle"},
        {"deviceId": 7, "command": "toggle"},
        {"deviceId": "x", "command": 7},
        {"deviceId": "x", "command": None},
        {"deviceId": "x", "command": ["toggle"]},
    ],
)
async def test_a_command_of_a_wrong_shape_is_malformed(params: Any) -> None:
    home = MemoryPorts().home()
    with pytest.raises(Malformed):
        await methods(home)["device.command"](params)


async def test_a_command_that_cannot_be_carried_out_says_why() -> None:
    ports = MemoryPorts()
    async with ports.running() as home:
        lamp = await lamp_of(home)
        call = methods(home)["device.command"]
        with pytest.raises(DeviceUnknown):
            await call({"deviceId": "nobody", "command": "toggle"})
        with pytest.raises(CommandInvalid):
            await call({"deviceId": lamp.id, "command": "explode"})
        ports.link.trouble = BrokerUnavailable()
        with pytest.raises(BrokerUnavailable):
            await call({"deviceId": lamp.id, "command": "toggle"})
        ports.link.trouble = None
        home.devices.last_will("lamp")
        with pytest.raises(DeviceOffline):
            await call({"deviceId": lamp.id, "command": "toggle"})


async def test_the_snapshot_shows_devices_as_http_does() -> None:
    ports = MemoryPorts()
    async with ports.running() as home:
        lamp = await lamp_of(home)
        answer = wire(await methods(home)["devices.snapshot"](None))

    assert list(answer) == ["devices"]
    golden = json.loads(json.loads((WIRE / "rest" / "said" / "device.json").read_text())["body"])
    [shown] = answer["devices"]

    assert shown.keys() == golden.keys()
    assert (shown["id"], shown["status"], shown["lastKnownState"]) == (lamp.id, "online", {"on": True})


async def test_the_types_are_those_that_http_shows() -> None:
    answer = wire(await methods(MemoryPorts().home())["device_types.list"](None))
    shown = {kind["id"]: kind for kind in answer["deviceTypes"]}
    golden = json.loads(json.loads((WIRE / "rest" / "said" / "device_type_light.json").read_text())["body"])

    assert list(answer) == ["deviceTypes"]
    assert shown["light"] == golden


async def test_the_cloud_chooses_what_it_hears() -> None:
    ports = MemoryPorts()
    async with ports.running() as home:
        await home.claim.claimed("token", by=home.claim.standing)
        answer = await methods(home)["station.setActiveChannels"]({"channels": ["event", "weather"]})

        assert answer == {"ok": True}
        assert home.channels.active == {EventChannel.EVENT}
        assert home.channels.unknown == 1


@pytest.mark.parametrize("params", [None, {}, {"channels": "state"}, {"channels": [1]}, {"channels": None}])
async def test_a_choice_of_a_wrong_shape_changes_nothing(params: Any) -> None:
    ports = MemoryPorts()
    async with ports.running() as home:
        await home.claim.claimed("token", by=home.claim.standing)
        with pytest.raises(Malformed):
            await methods(home)["station.setActiveChannels"](params)

        assert home.channels.active == frozenset(EventChannel)


async def test_a_slow_call_holds_up_no_other() -> None:
    ports = MemoryPorts()
    gate = asyncio.Event()

    class SlowLink(MemoryLink):
        async def send(self, station_id: str, external_id: str, command: Mapping[str, Value]) -> None:
            await gate.wait()
            await super().send(station_id, external_id, command)

    async with ports.running(link=SlowLink()) as home:
        lamp = await lamp_of(home)
        served = methods(home)
        slow: asyncio.Future[object] = asyncio.ensure_future(
            served["device.command"]({"deviceId": lamp.id, "command": "toggle"})
        )
        await settled()
        answer = wire(await served["devices.snapshot"](None))
        waiting = not slow.done()
        gate.set()
        await slow

    assert waiting
    assert len(answer["devices"]) == 1
