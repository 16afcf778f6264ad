from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from station_adapters.cloud import frames
from station_adapters.cloud.connection import CloudLinkDown
from station_adapters.cloud.exchange import Exchange
from station_adapters.cloud.jsonrpc import HangUp
from station_core.cloud.session import POLICY, Authenticate, Close, Introduce
from station_core.errors import Malformed, StationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_adapters.cloud.connection import Socket
    from station_adapters.cloud.jsonrpc import Plain
    from station_adapters.cloud.lane import Lane
    from station_adapters.cloud.line import Service
    from station_adapters.cloud.link import Oddities
    from station_core.clock import Clock
    from station_core.cloud.liaison import Liaison
    from station_core.cloud.session import Order

log = logging.getLogger("station.cloud")

HEARTBEAT: Final = 30.0  # seconds between pings; no pong by the next one ends the link (docs/protocols.md §3)
TICK: Final = 1.0  # seconds
LEAVE_WITHIN: Final = 5.0  # seconds for what waits to be sent, and the goodbye
SEEN_OFF_EVERY: Final = 0.2  # seconds between two requests to end
UPLINK_BACK_OFF: Final = 5.0  # seconds before what goes up is tried again


class Talk:
    """All that is said over one connection, from its beginning to its end."""

    def __init__(
        self,
        *,
        socket: Socket,
        group: asyncio.TaskGroup,
        liaison: Liaison,
        service: Service,
        lane: Lane,
        clock: Clock,
        oddities: Oddities,
    ) -> None:
        self._socket = socket
        self._group = group
        self._liaison = liaison
        self._service = service
        self._lane = lane
        self._clock = clock
        self._oddities = oddities
        self._exchange = Exchange(service.methods, group=group, monotonic=clock.monotonic, unheard_of=oddities.methods)
        self._leave_by: float | None = None

    async def run(self) -> None:
        """Raise `CloudLinkDown` at the end, here or in the group."""
        for work in (self._write, self._beat, self._tick, self._watch):
            self._group.create_task(work())
        try:
            self._carry_out(self._liaison.connected())
            await self._read()
            # Until the goodbye is said. A group whose body has ended cancels its task once too often (Python 3.11).
            await asyncio.get_running_loop().create_future()
        finally:
            self._exchange.over()
            self._oddities.answers.update(self._exchange.peer.counts)

    async def _read(self) -> None:
        while self._leave_by is None:
            for met in self._exchange.take(await self._socket.receive()):
                if isinstance(met, HangUp):
                    self._leave(Close(POLICY, "too many malformed frames"))
                else:
                    await self._plain(met)
            # A cloud that doesn't read what it has asked for isn't read either.
            await self._exchange.room()
            await asyncio.sleep(0)  # what waits in the socket is no reason not to handle what has come

    async def _plain(self, plain: Plain) -> None:
        try:
            message = frames.read(plain.type, plain.body)
        except Malformed as error:
            self._oddities.ignored["malformed"] += 1
            self._oddities.shapes.tell(str(error))
            return
        if message is None:
            self._oddities.types.tell(plain.type)
        elif isinstance(message, frames.ClaimSuccess):
            self._carry_out(self._liaison.claim_succeeded(message.station_token))
        elif isinstance(message, frames.AuthOk):
            self._carry_out(self._liaison.accepted())
        elif isinstance(message, frames.AuthError):
            self._carry_out(self._liaison.denied(message.code))
        elif self._exchange.open:
            await self._lane.put(message, by=self._liaison.by)
        else:
            self._oddities.ignored["unauthenticated"] += 1

    def _carry_out(self, orders: Sequence[Order]) -> None:
        for order in orders:
            if isinstance(order, Introduce):
                code = self._liaison.code
                self._say(frames.ClaimHandshake(chip_id=code.chip_id, claim_secret=code.claim_secret))
            elif isinstance(order, Authenticate):
                self._say(frames.StationAuth(station_token=self._liaison.token))
            elif isinstance(order, Close):
                self._leave(order)
            else:
                self._exchange.open = True
                self._group.create_task(self._see_off(self._group.create_task(self._send_up())))

    def _say(self, message: frames.ClaimHandshake | frames.StationAuth) -> None:
        self._exchange.outlet.put(frames.write(message))

    def _leave(self, order: Close) -> None:
        """Say goodbye after all that waits; nothing that comes from now on is heard."""
        if self._leave_by is None:
            self._exchange.open = False
            self._leave_by = self._clock.monotonic() + LEAVE_WITHIN
            self._exchange.outlet.close(order)

    async def _write(self) -> None:
        while True:
            item = await self._exchange.outlet.take()
            if isinstance(item, str):
                await self._socket.send(item)
            elif isinstance(item, Close):
                await self._socket.close(item.code, item.reason)
                raise CloudLinkDown(f"The station ended the connection: {item.reason}.")
            else:
                self._group.create_task(self._ping(item))

    async def _ping(self, pong: asyncio.Future[None]) -> None:
        await self._socket.ping()
        if not pong.done():  # who waited may have been cancelled
            pong.set_result(None)

    async def _beat(self) -> None:
        while True:
            heard = self._group.create_task(self._socket.ping())
            await self._clock.sleep(HEARTBEAT)
            if not heard.done():
                self._socket.abort()
                raise CloudLinkDown("The cloud is silent: no pong came.")

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            self._exchange.tick()
            self._carry_out(self._liaison.ticked())
            if self._leave_by is not None and self._clock.monotonic() >= self._leave_by:
                self._socket.abort()
                raise CloudLinkDown("The cloud doesn't let the station go.")

    async def _watch(self) -> None:
        self._carry_out(await self._liaison.overtaken())

    async def _see_off(self, sending: asyncio.Task[None]) -> None:
        """At the end of the link, cancel it until it has ended: a TaskGroup inside may lose one cancellation."""
        try:
            await asyncio.wait([sending])
        finally:
            while not sending.done():
                sending.cancel()
                await asyncio.wait([sending], timeout=SEEN_OFF_EVERY)

    async def _send_up(self) -> None:
        while True:
            try:
                await self._service.uplink(self._exchange)
            except StationError as error:
                log.warning("nothing goes up to the cloud for the moment", extra={"reason": str(error)})
                await self._clock.sleep(UPLINK_BACK_OFF)
            else:
                return
