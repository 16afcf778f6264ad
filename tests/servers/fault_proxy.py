"""A TCP proxy that does to connections what networks do, changeable while it runs."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

End = Literal["client", "upstream"]
CHUNK: Final = 65_536  # bytes read at once
UNDER_WAY: Final = 1024 * 1024  # bytes that one direction of a connection holds; beyond that it reads no more
RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


@dataclass(slots=True)
class Flow:
    """
    One direction of every connection: *latency* delays each byte by so many seconds, *bandwidth* lets so many bytes a
    second pass, *slices* makes writes of so many bytes, *stalled* holds everything back until it's unset (a partition
    that heals), *swallowing* takes bytes and the end of the stream and passes neither on. *taken* and *passed* count
    bytes; a connection breaks when *breaks_at* of them have passed.
    """

    latency: float = 0.0
    bandwidth: float | None = None
    slices: int | None = None
    stalled: bool = False
    swallowing: bool = False
    breaks_at: int | None = None
    taken: int = 0
    passed: int = 0


class FaultProxy:
    """
    Between clients and *host*:*port*; listens on `port` of the loopback while entered. `up` is what goes to the
    upstream, `down` what comes from it; `accepted` counts the connections so far, `open` those that are there now.
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self.host, self.port = "127.0.0.1", 0
        self.up, self.down = Flow(), Flow()
        self.accepted = self.open = 0
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._group = asyncio.TaskGroup()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        entered = asyncio.Event()
        self._keeper = asyncio.create_task(self._keep(entered))  # a TaskGroup ends in the task that began it
        await entered.wait()
        self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        await _cancelled([self._keeper])

    def accept(self) -> None:
        """Listen, on the same port as before."""
        listener = socket.create_server((self.host, self.port), backlog=1_024)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listening = self._group.create_task(self._listen(listener))
        self._listening.add_done_callback(lambda _: listener.close())  # the task may be cancelled before it has begun

    async def refuse(self) -> None:
        """Close the listener: who connects is refused, until `accept`. Connections that are there stay."""
        if self._listening is not None:
            await _cancelled([self._listening])

    async def cut(self) -> None:
        """Close all connections at both ends, in order (FIN)."""
        await _cancelled(list(self._connections))

    async def reset(self) -> None:
        """Break all connections at both ends (RST)."""
        for connection in self._connections.values():
            connection.will_reset()
        await self.cut()

    def half_open(self, gone: End) -> None:
        """One end of all connections closes and the other isn't told: nothing comes and nothing goes there any more."""
        for connection in self._connections.values():
            connection.forsake(gone)

    async def _keep(self, entered: asyncio.Event) -> None:
        async with self._group:
            entered.set()
            await asyncio.get_running_loop().create_future()

    async def _listen(self, listener: socket.socket) -> None:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            connection = _Connection(client, self.up, self.down)
            task = self._group.create_task(connection.run(self._upstream))
            self._connections[task] = connection
            self.accepted, self.open = self.accepted + 1, self.open + 1
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self.open -= 1
        for end in self._connections.pop(task).ends.values():
            end.close()


class _Connection:
    def __init__(self, client: socket.socket, up: Flow, down: Flow) -> None:
        upstream = socket.socket()
        self.ends: dict[End, socket.socket] = {"client": client, "upstream": upstream}
        self._pipes = [_Pipe(client, upstream, up), _Pipe(upstream, client, down)]
        self._passing: list[asyncio.Task[None]] = []
        self._gone: End | None = None
        for end in self.ends.values():
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self, upstream: tuple[str, int]) -> None:
        """Join both ends until they have closed, or one broke."""
        try:
            async with asyncio.timeout(5):
                await asyncio.get_running_loop().sock_connect(self.ends["upstream"], upstream)
            async with asyncio.TaskGroup() as group:
                self._passing = [group.create_task(work()) for pipe in self._pipes for work in (pipe.take, pipe.give)]
        except* OSError:
            self.will_reset()  # what broke at one end breaks at the other
        if self._gone is not None:
            self.ends[self._gone].close()
            await asyncio.get_running_loop().create_future()

    def forsake(self, gone: End) -> None:
        self._gone = gone
        for task in self._passing:
            task.cancel()

    def will_reset(self) -> None:
        for end in self.ends.values():
            if end.fileno() != -1:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)


@dataclass(slots=True)
class _Pipe:
    source: socket.socket
    sink: socket.socket
    flow: Flow
    under_way: asyncio.Queue[tuple[float, bytes]] = field(default_factory=asyncio.Queue)
    held: int = 0

    async def take(self) -> None:
        loop, data = asyncio.get_running_loop(), b"not the end"
        while data:
            await _while(lambda: self.flow.stalled or self.held >= UNDER_WAY)
            data = await loop.sock_recv(self.source, CHUNK)
            self.flow.taken += len(data)
            self.held += len(data)
            self.under_way.put_nowait((loop.time() + self.flow.latency, data))

    async def give(self) -> None:
        loop, flow, data = asyncio.get_running_loop(), self.flow, b"not the end"
        while data:
            due, data = await self.under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await _while(lambda: flow.stalled)
            size = flow.slices or (max(1, int(flow.bandwidth / 100)) if flow.bandwidth else CHUNK)
            for start in range(0, len(data), size):
                piece = data[start : start + size]
                self.held -= len(piece)
                if not flow.swallowing:
                    await self.deliver(piece)
                await asyncio.sleep(len(piece) / flow.bandwidth if flow.bandwidth else 0)
        await _while(lambda: flow.swallowing)
        self.sink.shutdown(socket.SHUT_WR)

    async def deliver(self, piece: bytes) -> None:
        flow = self.flow
        piece = piece if flow.breaks_at is None else piece[: max(0, flow.breaks_at - flow.passed)]
        await asyncio.get_running_loop().sock_sendall(self.sink, piece)
        flow.passed += len(piece)
        if flow.breaks_at is not None and flow.passed >= flow.breaks_at:
            raise ConnectionAbortedError


async def _while(holds: Callable[[], bool]) -> None:
    while holds():  # noqa: ASYNC110  # tests set plain attributes
        await asyncio.sleep(0.005)


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
