"""Every `DeviceLink`, with the far end in reach: a device that listens."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import aiomqtt

from station_adapters.memory.home import MemoryPorts
from station_adapters.memory.link import MemoryLink
from station_adapters.mqtt.address import BrokerAddress
from station_adapters.mqtt.inbound import Inbound
from station_adapters.mqtt.intake import BYTES
from station_adapters.mqtt.link import MqttLink
from station_core.errors import BrokerUnavailable, LinkDown
from station_core.journal import JOURNAL_BOUND
from tests.contract.http_rig import until
from tests.servers.fault_proxy import FaultProxy
from tests.servers.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.devices.ports import DeviceLink
    from station_core.values import Value

STATION, DEVICE = "s", "lamp"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the device hears: the topic's suffix and the payload."""

    suffix: str
    payload: Value


class LinkRig(Protocol):
    """A link that is up, and its far end."""

    @property
    def link(self) -> DeviceLink:
        """The port under test."""
        ...

    async def heard(self, count: int) -> list[Heard]:
        """The first *count* messages that reached the device, once they're there."""
        ...

    async def retain(self, station_id: str, external_id: str) -> None:
        """Have the broker retain what a device says."""
        ...

    async def retained(self) -> set[str]:
        """The devices of which the broker retains something."""
        ...

    async def flood(self) -> None:
        """Let devices say more than is read."""
        ...

    async def cut(self) -> None:
        """Take the broker away; return when the link has noticed."""
        ...

    async def mend(self) -> None:
        """Bring it back; return when the link is up."""
        ...


class MemoryRig:
    def __init__(self) -> None:
        self.link = MemoryLink()
        self._retained: set[tuple[str, str]] = set()

    async def heard(self, count: int) -> list[Heard]:
        told = [Heard("command", dict(sent.command)) for sent in self.link.commands]
        told += [
            Heard("handshake/ack", {"status": "ok" if answer.known else "unknown_device"})
            for answer in self.link.answers
        ]
        return told[:count]

    async def retain(self, station_id: str, external_id: str) -> None:
        self._retained.add((station_id, external_id))

    async def retained(self) -> set[str]:
        return {external_id for _, external_id in self._retained.difference(self.link.cleared)}

    async def flood(self) -> None:
        """Memory is always read."""

    async def cut(self) -> None:
        self.link.trouble = BrokerUnavailable()

    async def mend(self) -> None:
        self.link.trouble = None


class MqttRig:
    """The link reaches the broker through a fault proxy, the device directly."""

    def __init__(self, broker: Mosquitto, proxy: FaultProxy, group: asyncio.TaskGroup) -> None:
        self._broker = broker
        self._proxy = proxy
        self._group = group
        self._subscribed = asyncio.Event()
        self._run: asyncio.Task[None] | None = None
        self._home = MemoryPorts().home()
        self.inbound = Inbound(self._home)
        self.link = MqttLink(BrokerAddress(host="127.0.0.1", port=proxy.port), "station/s")
        self._heard: asyncio.Queue[Heard] = asyncio.Queue()
        self._listens = asyncio.Event()
        self._listening = group.create_task(self._listen())

    async def heard(self, count: int) -> list[Heard]:
        async with asyncio.timeout(5):
            return [await self._heard.get() for _ in range(count)]

    async def retain(self, station_id: str, external_id: str) -> None:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as device:
            for suffix in ("handshake", "state", "event", "heartbeat", "command/ack"):
                topic = f"station/{station_id}/device/{external_id}/{suffix}"
                await device.publish(topic, b"{}", qos=1, retain=True)

    async def retained(self) -> set[str]:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as reader:
            await reader.subscribe("station/#", qos=1)
            await reader.publish("station/end", b"", qos=1)  # it comes behind what is retained
            found: set[str] = set()
            async with asyncio.timeout(5):
                async for message in reader.messages:
                    if str(message.topic) == "station/end":
                        return found
                    found.add(str(message.topic).split("/")[3])
        raise AssertionError(found)

    async def flood(self) -> None:
        self.link.stop_reading()
        async with aiomqtt.Client(self._broker.host, self._broker.port) as device:
            for _ in range(1_000):  # more than all buffers on the way take
                await device.publish(f"station/{STATION}/device/{DEVICE}/state", b"x" * 16_384)
            await device.publish("station/end", qos=1)  # the broker has all that came before

    async def cut(self) -> None:
        await self._proxy.refuse()
        await self._proxy.cut()
        assert self._run is not None
        await asyncio.wait_for(asyncio.wait([self._run]), 5)

    async def falls_silent(self) -> None:
        """Let nothing that the broker says come through; return when the link has noticed."""
        self._proxy.down.swallowing = True
        assert self._run is not None
        async with asyncio.timeout(15):
            await asyncio.wait([self._run])

    async def overfill(self) -> None:
        """Let nobody have room, and devices say more at QoS 1 than is taken in; the broker holds the rest."""
        self._home.journal.waiting = JOURNAL_BOUND
        said = b"x" * 60_000
        async with aiomqtt.Client(self._broker.host, self._broker.port) as device:
            for n in range(BYTES // len(said) + 40):
                await device.publish(f"station/{STATION}/device/{DEVICE}/event", said + b"%d" % n, qos=1)
        await until(lambda: self.inbound.intake.full)

    def make_room(self) -> None:
        """Go on with what waits."""
        self._home.journal.waiting = 0
        self.inbound.intake.schedule()

    def begin(self) -> None:
        """Bring the broker back, and have the link begin."""
        if self._run is not None:
            self._proxy.accept()
        self._run = self._group.create_task(self._hold())

    async def subscribed(self) -> None:
        """Return when the link hears."""
        async with asyncio.timeout(5):
            await self._subscribed.wait()

    async def mend(self) -> None:
        self.begin()
        await self.subscribed()
        async with asyncio.timeout(5):
            await self._listens.wait()

    def end(self) -> None:
        self._listening.cancel()
        if self._run is not None:
            self._run.cancel()

    async def _hold(self) -> None:
        try:
            await self.link.run(self.inbound, self._subscribed)
        except LinkDown:
            return

    async def _listen(self) -> None:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as device:
            prefix = f"station/{STATION}/device/{DEVICE}/"
            await device.subscribe(f"{prefix}command", qos=1)
            await device.subscribe(f"{prefix}handshake/ack", qos=1)
            self._listens.set()
            async for message in device.messages:
                assert isinstance(message.payload, bytes)
                self._heard.put_nowait(Heard(str(message.topic).removeprefix(prefix), json.loads(message.payload)))


@asynccontextmanager
async def memory() -> AsyncIterator[LinkRig]:
    yield MemoryRig()


@asynccontextmanager
async def mqtt() -> AsyncIterator[MqttRig]:
    async with Mosquitto() as broker, FaultProxy(broker.host, broker.port) as proxy, asyncio.TaskGroup() as group:
        rig = MqttRig(broker, proxy, group)
        try:
            await rig.mend()
            yield rig
        finally:
            rig.end()
