"""At least once in, once in effect, over a real broker and a network that fails: schedules with fixed seeds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
import pytest

from station_adapters.mqtt.address import BrokerAddress
from station_adapters.mqtt.link import MqttLink
from station_core.devices.model import Status
from station_core.errors import LinkDown
from tests.contract.http_rig import until
from tests.servers.fault_proxy import FaultProxy
from tests.servers.mosquitto import Mosquitto
from tests.unit.mqtt.saga import DEVICES, feed, numbers
from tests.unit.mqtt.scripted_broker import Station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from station_core.devices.model import Device

BURST: Final = 40  # messages of each device


class Rig:
    """A station whose link to the broker goes through a fault proxy; devices reach the broker directly."""

    def __init__(self, broker: Mosquitto, proxy: FaultProxy, group: asyncio.TaskGroup, seed: int) -> None:
        self.broker, self.proxy = broker, proxy
        self.station = Station()
        self.said: dict[str, list[int]] = {device: [] for device in DEVICES}
        self.flips: dict[str, list[bool]] = {device: [] for device in DEVICES}
        self.repeatable: set[int] = set()
        self.forgot = False
        self.again = 0
        self._on = dict.fromkeys(DEVICES, False)
        self._random = random.Random(seed)
        self._group = group
        self._link: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()
        self.reachable = asyncio.Event()
        self.reachable.set()
        self._last = 0

    # The station

    async def start(self) -> None:
        await self.station.start()
        self._link = self._group.create_task(self._hold())

    async def kill(self) -> None:
        if self._link is not None:
            self._link.cancel()
            await asyncio.wait([self._link])
            await self.station.kill()
            self.again += sum(n for (_, outcome), n in self.station.inbound.counts.items() if outcome == "again")
            self._link = None

    async def up(self) -> None:
        """Return when the station hears the broker."""
        async with asyncio.timeout(10):
            await self._subscribed.wait()

    async def down(self) -> None:
        """Return when the station has noticed that the broker is away."""
        await until(lambda: not self._subscribed.is_set())

    async def _hold(self) -> None:
        link = MqttLink(BrokerAddress(host="127.0.0.1", port=self.proxy.port), "station/s")
        while True:
            await self.reachable.wait()
            with contextlib.suppress(LinkDown):
                await link.run(self.station.inbound, self._subscribed)
            await asyncio.sleep(0.01)  # as a supervisor would, before it tries again

    # The devices

    async def speak(self, times: int = BURST) -> None:
        """Each device tells numbered events and flips, at QoS 1; return when the broker has them."""
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            for _ in range(times):
                device = self._random.choice(DEVICES)
                if self._random.random() < 0.3:
                    self._on[device] = not self._on[device]
                    self.flips[device].append(self._on[device])
                    await client.publish(topic(device, "state"), json.dumps({"state": {"on": self._on[device]}}), qos=1)
                else:
                    await self._tell(client, device)

    async def say_last_words(self) -> None:
        """An event of each device, so that whoever has seen it has seen everything."""
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            for device in DEVICES:
                await self._tell(client, device)

    async def say_again(self) -> None:
        """What the broker forgot before the station had it in effect, devices say again."""
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            for device, said in self.said.items():
                for number in [n for n in said if n not in self.told(device)]:
                    self.repeatable.add(number)
                    await client.publish(topic(device, "event"), event(number), qos=1)

    async def _tell(self, client: aiomqtt.Client, device: str) -> None:
        self._last += 1
        self.said[device].append(self._last)
        await client.publish(topic(device, "event"), event(self._last), qos=1)

    # What came of it

    def told(self, device: str) -> list[int]:
        return numbers(feed(self.station, device, "event_received"))

    def flipped(self, device: str) -> list[bool]:
        return [bool(item.payload["newValue"]) for item in feed(self.station, device, "state_transition")]

    def complete(self) -> bool:
        """Whether every event has had its effect."""
        return all(set(self.told(device)) == set(said) for device, said in self.said.items())

    # What goes wrong in the middle of it

    async def cut(self) -> None:
        await self.proxy.cut()

    async def reset(self) -> None:
        await self.proxy.reset()

    async def stall(self) -> None:
        """For as long as devices speak on."""
        self.proxy.down.stalled = True
        await self.speak()
        self.proxy.down.stalled = False

    async def lose_acknowledgements(self) -> None:
        """All of what comes has its effect, and the broker isn't told."""
        self.proxy.up.swallowing = True
        await self.speak()
        await until(self.complete)
        await self.proxy.reset()
        self.proxy.up.swallowing = False

    async def die(self) -> None:
        await self.kill()
        await self.speak()
        await self.start()

    async def die_unheard(self) -> None:
        """It dies before the broker has its acknowledgements."""
        self.proxy.up.swallowing = True
        await self.speak()
        await until(self.complete)
        await self.kill()
        self.proxy.up.swallowing = False
        await self.start()

    async def restart_broker_empty(self) -> None:
        self.forgot = True
        await self.broker.kill()
        await until(lambda: not self._subscribed.is_set())
        await self.broker.start()
        await self.up()
        await self.say_again()

    async def slow_store(self) -> None:
        self.station.store.turns = self._random.randrange(200)


KEPT: Final = (Rig.cut, Rig.reset, Rig.stall, Rig.lose_acknowledgements, Rig.die, Rig.die_unheard, Rig.slow_store)


@asynccontextmanager
async def household(seed: int, *, said_before: bool = True) -> AsyncIterator[Rig]:
    async with Mosquitto() as broker, FaultProxy(broker.host, broker.port) as proxy, asyncio.TaskGroup() as group:
        rig = Rig(broker, proxy, group, seed)
        await rig.start()
        try:
            for device in DEVICES:
                await rig.station.home.household.add(external_id=device, name=device.title(), type_id="light")
            await rig.up()
            if said_before:
                async with aiomqtt.Client(broker.host, broker.port) as client:
                    for device in DEVICES:
                        await client.publish(topic(device, "state"), b'{"state":{"on":false}}', qos=1)
                await until(lambda: all(device.state for device in rig.station.home.household.devices()))
            yield rig
        finally:
            await rig.kill()


async def live_through(rig: Rig, faults: Sequence[Callable[[Rig], Coroutine[Any, Any, None]]]) -> None:
    for fault in faults:
        await rig.speak()
        await fault(rig)
        await rig.speak()
    await rig.proxy.cut()
    await rig.speak()
    await rig.say_last_words()  # what comes again comes before them
    await until(rig.complete)


def topic(device: str, suffix: str) -> str:
    return f"station/s/device/{device}/{suffix}"


def event(number: int) -> str:
    return json.dumps({"event": "device_event", "data": {"action": "x", "n": number}})


def lamp(rig: Rig) -> Device:
    return next(device for device in rig.station.home.household.devices() if device.external_id == "lamp")


@pytest.mark.parametrize("seed", range(4))
async def test_while_the_broker_keeps_the_session_everything_has_its_effect_once_and_in_order(seed: int) -> None:
    async with household(seed) as rig:
        faults = random.Random(seed).sample(KEPT, len(KEPT))
        await live_through(rig, faults)
        flips = {device: rig.flipped(device) for device in DEVICES}
        told = {device: rig.told(device) for device in DEVICES}

    assert told == rig.said
    assert flips == rig.flips
    assert rig.again > 0


@pytest.mark.parametrize("seed", range(2))
async def test_after_a_broker_that_forgot_nothing_is_lost_and_only_that_is_doubled_which_was_under_way(
    seed: int,
) -> None:
    async with household(seed) as rig:
        faults = [*random.Random(seed).sample(KEPT, 3), Rig.restart_broker_empty, Rig.die_unheard]
        await live_through(rig, [*faults, Rig.restart_broker_empty])
        told = {device: rig.told(device) for device in DEVICES}

    for device, heard in told.items():
        assert list(dict.fromkeys(heard)) == rig.said[device]
        assert {n for n in heard if heard.count(n) > 1} <= rig.repeatable


async def test_the_will_of_a_session_that_is_over_does_not_take_the_device_offline() -> None:
    async with household(0) as rig, FaultProxy(rig.broker.host, rig.broker.port) as former_way:
        will = aiomqtt.Will(topic("lamp", "heartbeat"), b'{"status":"offline","session":1}', qos=1)
        async with aiomqtt.Client(former_way.host, former_way.port, identifier="former", will=will) as former:
            await former.publish(topic("lamp", "heartbeat"), b'{"status":"online","session":1}', qos=1)
            async with aiomqtt.Client(rig.broker.host, rig.broker.port, identifier="present") as present:
                await present.publish(topic("lamp", "heartbeat"), b'{"status":"online","session":2}', qos=1)
            await until(lambda: lamp(rig).session == 2)
            counts = rig.station.inbound.counts
            heard = counts["heartbeat", "accepted"]
            await former_way.reset()
            await until(lambda: counts["heartbeat", "accepted"] > heard and former._disconnected.done())
            former._disconnected.exception()  # nobody else wants to know
        status = lamp(rig).status

    assert status is Status.ONLINE
