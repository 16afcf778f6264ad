"""A link with the cloud over real sockets, on memory, by a clock that goes faster than ours."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from station_adapters.cloud.line import Service
from station_adapters.cloud.link import CloudLink
from station_adapters.memory.clock import MemoryRandomness
from station_adapters.memory.cloud import MemoryCloudStore
from station_adapters.system.clock import SystemClock
from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import StandInCloud
from station_core.cloud.claim import Claim
from station_core.cloud.liaison import Liaison
from station_core.cloud.nowhere import NoOutbox
from station_core.cloud.status import CloudBoard, Mode
from station_core.errors import DeviceUnknown
from station_core.events import EventBus
from station_core.health import Health

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from station_adapters.cloud.frames import Order
    from station_adapters.cloud.jsonrpc import Params
    from station_adapters.cloud.line import Line
    from station_core.values import Value

CHIP_ID: Final = "10000000a1b2c3d4"
KNOWN: Final = "stand-in-known"
WITHIN: Final = 20.0  # seconds a condition has


class HastyClock(SystemClock):
    """A clock on which minutes are over in a moment."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def monotonic(self) -> float:
        return time.monotonic() * self._factor

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._factor)


class StationEnd:
    """The station's end: what it obeys and sends is seen."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, factor: float, *, verified: bool) -> None:
        self.clock = HastyClock(factor)
        self.store = MemoryCloudStore()
        self.health = Health(EventBus(), self.clock)
        self.claim = Claim(store=self.store, clock=self.clock, randomness=MemoryRandomness(), station_id=CHIP_ID)
        self.board = CloudBoard(claim=self.claim, outbox=NoOutbox(), clock=self.clock)
        self.liaison = Liaison(
            claim=self.claim,
            board=self.board,
            health=self.health,
            clock=self.clock,
            luck=lambda: 0.0,
            verified=verified,
        )
        self.obeyed: list[Order] = []
        self.lines: list[Line] = []
        self.gate = asyncio.Event()
        self.deaf = 0
        """How many cancellations what goes up loses."""
        self.link = CloudLink(
            url=url,
            tls=tls,
            liaison=self.liaison,
            claim=self.claim,
            service=Service(
                methods={"echo": self._echo, "slow": self._slow, "fail": self._fail},
                obey=self._obey,
                uplink=self._uplink,
            ),
            clock=self.clock,
        )

    @property
    def mode(self) -> Mode:
        return self.liaison.mode

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once it *holds*."""
        async with asyncio.timeout(WITHIN):
            while not holds():  # noqa: ASYNC110  # what is waited for has no event
                await asyncio.sleep(0.005)

    async def authenticated(self) -> Line:
        """The line, once there is one."""
        await self.until(lambda: self.mode is Mode.AUTHENTICATED and bool(self.lines))
        return self.lines[-1]

    async def _echo(self, params: Params) -> Any:
        return {"params": params}

    async def _slow(self, _params: Params) -> Value:
        await self.gate.wait()
        return "done"

    async def _fail(self, _params: Params) -> Value:
        raise DeviceUnknown

    async def _obey(self, order: Order) -> None:
        self.obeyed.append(order)

    async def _uplink(self, line: Line) -> None:
        self.lines.append(line)
        for _ in range(self.deaf + 1):
            with contextlib.suppress(asyncio.CancelledError if self.deaf else TimeoutError):
                await asyncio.Event().wait()


class Pair:
    """Both ends."""

    def __init__(self, station: StationEnd, cloud: StandInCloud, record: Record) -> None:
        self.station = station
        self.cloud = cloud
        self.record = record

    def tried(self) -> bool:
        """Whether a first connection has stood, or ended."""
        return self.station.mode is Mode.AUTHENTICATED or self.station.liaison._session.attempts > 0

    async def linked(self) -> None:
        """Until both ends are authenticated."""
        await self.station.authenticated()
        await self.station.until(lambda: bool(self.cloud.links) and self.cloud.links[-1].authenticated)


@asynccontextmanager
async def pair(
    *,
    claimed: bool = True,
    factor: float = 20,
    server_tls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    prepare: Callable[[StandInCloud], None] = lambda _: None,
    address: Callable[[int], str] | None = None,
) -> AsyncIterator[Pair]:
    """A station and its stand-in cloud, running; *address* makes the URL of the cloud's port."""
    record = Record()
    cloud = StandInCloud(record, server_tls)
    prepare(cloud)
    async with cloud.serving() as port:
        url = address(port) if address else f"{'wss' if server_tls else 'ws'}://127.0.0.1:{port}"
        station = StationEnd(url, tls, factor, verified=tls is not None)
        await station.claim.load()
        if claimed:
            await station.claim.claimed(KNOWN, by=station.claim.standing)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(station.link.run())
            try:
                yield Pair(station, cloud, record)
            finally:
                running.cancel()
