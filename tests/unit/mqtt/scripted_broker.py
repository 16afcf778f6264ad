"""A broker that does what a script says, a store behind a bad line, and a station between them; all in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from station_adapters.memory.clock import settled
from station_adapters.memory.devices import MemoryDeviceStore
from station_adapters.memory.home import MemoryPorts
from station_adapters.mqtt.inbound import Inbound
from station_adapters.mqtt.packets import DUP
from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_core.audit.model import Deed
    from station_core.home import Home

T = TypeVar("T")

PACKET_IDS: Final = 65_535


@dataclass(slots=True)
class Queued:
    """A message that the broker keeps until it's acknowledged."""

    packet_id: int
    topic: bytes
    payload: bytes
    flags: int
    sent: bool = False


class Wire:
    """A connection: it takes acknowledgements of what it brought and no other, and loses them once it's cut."""

    def __init__(self, broker: ScriptedBroker) -> None:
        self._broker = broker
        self.owed: Counter[int] = Counter()
        self.up = True

    def acknowledge(self, packet_ids: list[int]) -> None:
        for packet_id in packet_ids:
            self.owed[packet_id] -= 1
            if self.owed[packet_id] < 0:
                self._broker.wrongs.append(f"{packet_id} is acknowledged where it didn't come")
            if self.up and not self._broker.deaf:
                self._broker.acknowledged(packet_id)


class ScriptedBroker:
    """
    The station's session at a broker: a queue in order, packet ids in order of use, DUP on what was sent before.

    `silent`: what it sends is lost on the way, `deaf`: what is sent to it, until the next connection.
    `wrongs` tells what nobody may do to a broker.
    """

    def __init__(self, packet_ids: int = PACKET_IDS) -> None:
        self._packet_ids = packet_ids
        self._last_id = 0
        self._session = False
        self._inbound: Inbound | None = None
        self.queue: list[Queued] = []
        self.wire: Wire | None = None
        self.silent = self.deaf = False
        self.wrongs: list[str] = []

    def publish(self, topic: bytes, payload: bytes, flags: int = 0) -> None:
        """A device says something."""
        message = Queued(self._next_id(), topic, payload, flags)
        self.queue.append(message)
        self._send(message)

    def connect(self, inbound: Inbound) -> None:
        """Take the station's connection, and send again what it hasn't acknowledged."""
        self.wire, self._inbound = Wire(self), inbound
        self.silent = self.deaf = False
        if not self._session:
            inbound.begun_anew()
        inbound.connected(on_roomy=lambda: None)
        inbound.hears()
        self._session = True
        self.repeat()

    def repeat(self) -> None:
        """Send everything again."""
        for message in list(self.queue):
            self._send(message)

    def cut(self) -> None:
        """End the connection."""
        if self.wire is not None and self._inbound is not None:
            self.wire.up = False
            self.wire = None
            self._inbound.lost()

    def forget(self) -> list[Queued]:
        """Start anew and empty; return what was not acknowledged."""
        self.cut()
        lost, self.queue = self.queue, []
        self._session = False
        self._last_id = 0
        return lost

    def acknowledged(self, packet_id: int) -> None:
        self.queue = [message for message in self.queue if message.packet_id != packet_id]

    def _send(self, message: Queued) -> None:
        if self.wire is None or self._inbound is None:
            return
        flags = message.flags | (DUP if message.sent else 0)
        message.sent = True
        if not self.silent:
            self.wire.owed[message.packet_id] += 1
            self._inbound.offer(message.topic, message.payload, message.packet_id, flags, self.wire)

    def _next_id(self) -> int:
        in_use = {message.packet_id for message in self.queue}
        while True:
            self._last_id = self._last_id % self._packet_ids + 1
            if self._last_id not in in_use:
                return self._last_id


class DistantStore(MemoryDeviceStore):
    """Its answers take so many turns of the loop after what they tell of; with `mute` it does the work and fails."""

    turns = 0
    mute = False

    async def _atomic(self, effect: Callable[[], T], deed: Deed | None = None) -> T:
        result = await super()._atomic(effect, deed)
        await settled(self.turns)
        if self.mute:
            raise StoreUnavailable
        return result


class Station:
    """A home and its inbound side over ports that outlive them."""

    def __init__(self) -> None:
        self.ports = MemoryPorts()
        self.store = self.ports.store = DistantStore(self.ports.randomness)
        self.home: Home
        self.inbound: Inbound
        self._end = asyncio.Event()
        self._life: asyncio.Task[None]

    async def start(self) -> None:
        """Live until `kill`."""
        born = asyncio.Event()
        self._end = asyncio.Event()
        self._life = asyncio.create_task(self._live(born, self._end))
        await born.wait()

    async def kill(self) -> None:
        """As by a power cut: nothing is finished."""
        self._end.set()
        await self._life

    async def _live(self, born: asyncio.Event, end: asyncio.Event) -> None:
        # A task of its own: whoever starts and whoever kills are different tasks, which a TaskGroup wouldn't bear.
        async with self.ports.running() as self.home:
            self.inbound = Inbound(self.home)
            born.set()
            await end.wait()
