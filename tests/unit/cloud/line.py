"""A cloud at the other end of a `Line`: what it has heard; it may be slow, silent, or gone in the middle of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from station_adapters.cloud.uplink import Courier
from station_adapters.memory.clock import settled
from station_core.cloud.letters import FRONT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from station_adapters.cloud.jsonrpc import Params
    from station_adapters.memory.home import MemoryPorts
    from station_core.cloud.letters import Waiting
    from station_core.home import Home
    from station_core.values import Value


@dataclass(frozen=True, slots=True)
class Heard:
    method: str
    params: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.params["eventId"])


class FakeLine:
    """A `Line`; *goes_after* so many notifications the link is cut: what comes then is lost."""

    def __init__(self, goes_after: int | None = None) -> None:
        self.heard: list[Heard] = []
        self.pongs = asyncio.Event()
        self.pongs.set()
        self.open = asyncio.Event()
        self.open.set()
        self._goes_after = goes_after

    @property
    def cut(self) -> bool:
        return self._goes_after is not None and len(self.heard) >= self._goes_after

    async def room(self) -> None:
        await self.open.wait()

    def notify(self, method: str, params: Any) -> None:
        if not self.cut:
            self.heard.append(Heard(method, msgspec.json.decode(msgspec.json.encode(params))))

    async def delivered(self) -> None:
        await asyncio.sleep(0)
        await self.pongs.wait()
        if self.cut:
            await asyncio.get_running_loop().create_future()

    async def call(self, method: str, params: Params = None, *, within: float = 10.0) -> Value:
        raise AssertionError(method, params, within)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.heard]

    def of(self, method: str) -> list[dict[str, Any]]:
        return [one.params for one in self.heard if one.method == method]


@asynccontextmanager
async def carried(home: Home, line: FakeLine) -> AsyncIterator[Courier]:
    """While the link lives."""
    courier = Courier(outbox=home.outbox, bus=home.bus, clock=home.clock)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(courier.carry(line))
        await settled()
        try:
            yield courier
        finally:
            task.cancel()


@asynccontextmanager
async def claimed(ports: MemoryPorts) -> AsyncIterator[Home]:
    """A running home that a cloud has claimed, with a lamp and a sensor."""
    async with ports.running() as home:
        if home.claim.standing.config is None:
            await home.claim.claimed("token", by=home.claim.standing)
        for external_id, kind in (("lamp", "light"), ("pir", "pir")):
            if not home.registry.holds(external_id):
                await home.household.add(external_id=external_id, name=external_id.title(), type_id=kind)
        yield home


async def waiting(ports: MemoryPorts) -> Sequence[Waiting]:
    return await ports.outbox.waiting(after=FRONT, limit=100_000)


async def press(home: Home, n: int, device: str = "pir") -> None:
    home.devices.receive_event(device, "user_event", {"action": "press", "n": n})
    await home.journal.drained()


async def shine(home: Home, n: int, device: str = "lamp") -> None:
    home.devices.report_state(device, {"brightness": n})
    await home.journal.drained()


def presses(line: FakeLine) -> list[int]:
    return [params["data"]["n"] for params in line.of("device.eventReceived")]
