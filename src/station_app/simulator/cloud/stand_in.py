"""
A cloud that a developer starts: the other end of docs/protocols.md §3 over real WSS.

It shares no code with the station's end: each plays its part of the page, and tests see where they differ.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from station_core.errors import Unavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from websockets.http11 import Request, Response

    from station_app.simulator.cloud.record import Record

PATH: Final = "/ws/station"
TOKEN: Final = "stand-in-"  # noqa: S105  # how every token begins that a stand-in gives, so that the next one knows it
LARGEST: Final = 64 * 1024 * 1024  # bytes: a snapshot of a big house
ANSWER_WITHIN: Final = 30.0  # seconds


class StandInCloud:
    """
    Claims every station that asks while `claims`, and knows every token that a stand-in has given.

    `answer` is what it says to `station_auth` instead of `auth_ok`: another frame, or an empty one for silence.
    `cut_after`, `cut_after_heard`: each connection from now on ends after so many bytes that were sent, or heard.
    `first_answer`: what is answered over HTTP instead of the upgrade. `heard` counts messages by their type or method.
    """

    def __init__(self, record: Record, tls: ssl.SSLContext | None = None) -> None:
        self._record = record
        self._tls = tls
        self._changed = asyncio.Event()
        self.claims = True
        self.answer: dict[str, Any] | None = None
        self.cut_after: int | None = None
        self.cut_after_heard: int | None = None
        self.first_answer: Callable[[], Response] | None = None
        self.port = 0
        self.heard: Counter[str] = Counter()
        self.links: list[StationLink] = []
        self.connections = 0
        self.most_at_once = 0

    @contextlib.asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
        """Serve while entered; the port."""
        server = await serve(
            self._meet,
            host,
            port,
            ssl=self._tls,
            create_connection=self._connection,  # type: ignore[arg-type]  # what makes one will do
            process_request=self._greet,
            compression=None,
            ping_interval=None,
            max_size=LARGEST,
            close_timeout=1,
        )
        self.port = next(iter(server.sockets)).getsockname()[1]
        try:
            yield self.port
        finally:
            server.close()  # with a goodbye to each station
            await server.wait_closed()

    def mend(self) -> None:
        """Connections from now on hold; those that are there end."""
        self.cut_after = self.cut_after_heard = None
        for link in self.links:
            link.cut()

    @property
    def plain(self) -> bool:
        """Whether it speaks without TLS."""
        return self._tls is None

    @property
    def link(self) -> StationLink:
        """The newest connection; raise `Unavailable` without one."""
        if not self.links:
            raise Unavailable("No station is connected.")
        return self.links[-1]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when something has happened after which *holds*."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    def _connection(self, *args: Any, **kwargs: Any) -> ServerConnection:
        connection = _Cuttable(*args, **kwargs)
        connection.cut_after = self.cut_after
        connection.left = self.cut_after_heard
        return connection

    def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.first_answer is not None:
            return self.first_answer()
        return None if request.path == PATH else connection.respond(404, "There is no such path.\n")

    async def _meet(self, connection: ServerConnection) -> None:
        self.connections += 1
        link = StationLink(connection, self.connections, self._tell)
        self.links.append(link)
        self.most_at_once = max(self.most_at_once, len(self.links))
        self._tell(link, "open")
        try:
            async for frame in connection:
                await self._hear(link, frame)
        except ConnectionClosed:
            pass
        finally:
            self.links.remove(link)
            link.over()
            self._tell(link, "closed", connection.close_code)

    async def _hear(self, link: StationLink, frame: str | bytes) -> None:
        try:
            message = json.loads(frame)
        except ValueError:
            message = frame
        link.take(message)
        if isinstance(message, dict):
            self.heard.update(name for name in (message.get("type"), message.get("method")) if isinstance(name, str))
        self._tell(link, "heard", message)
        if not isinstance(message, dict) or "method" in message:
            return
        if message.get("type") == "claim_handshake" and self.claims:
            await link.say({"type": "claim_success", "stationToken": TOKEN + secrets.token_hex(16)})
        elif message.get("type") == "station_auth":
            await self._judge(link, str(message.get("stationToken")))

    async def _judge(self, link: StationLink, token: str) -> None:
        if self.answer is not None:
            if self.answer:
                await link.say(self.answer)
        elif token.startswith(TOKEN):
            link.authenticated = True
            await link.say({"type": "auth_ok"})
        else:
            await link.say({"type": "auth_error", "code": "invalid_token"})

    def _tell(self, link: StationLink, what: str, frame: Any = None) -> None:
        self._record.add(link.number, what, frame)
        self._changed.set()


class StationLink:
    """One connection of a station."""

    def __init__(
        self, connection: ServerConnection, number: int, tell: Callable[[StationLink, str, Any], None]
    ) -> None:
        self._connection = connection
        self._tell = tell
        self._last_id = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self.number = number
        self.authenticated = False

    async def say(self, frame: Any) -> None:
        """Send an object as JSON, a text or bytes as they are; nothing to one that has gone."""
        with contextlib.suppress(ConnectionClosed):
            self._tell(self, "said", frame)
            await self._connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def call(self, method: str, params: Any = None) -> Any:
        """Call as the deployed cloud does, without `jsonrpc`; the answer whole. Raise `Unavailable` without one."""
        self._last_id += 1
        asked = self._asked[self._last_id] = asyncio.get_running_loop().create_future()
        call = {"id": self._last_id, "method": method}
        await self.say(call if params is None else {**call, "params": params})
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await asked
        except TimeoutError:
            raise Unavailable(f"The station doesn't answer {method}.") from None

    def over(self) -> None:
        """It has ended: nothing that was asked is answered any more."""
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(Unavailable("The connection ended before the answer."))
        self._asked.clear()

    def take(self, message: Any) -> None:
        """An answer, or something else."""
        for one in message if isinstance(message, list) else [message]:
            if isinstance(one, dict) and "method" not in one and isinstance(one.get("id"), int):
                asked = self._asked.pop(one["id"], None)
                if asked is not None and not asked.done():
                    asked.set_result(one)

    def fall_silent(self) -> None:
        """Read nothing any more, and so answer no ping."""
        self._connection.transport.pause_reading()

    async def close(self, code: int = 1000) -> None:
        """End it with a goodbye."""
        await self._connection.close(code)

    def cut_after(self, size: int) -> None:
        """End it without a word once it was sent so many bytes more."""
        self._connection.transport = _Scissors(self._connection.transport, size)  # type: ignore[assignment]

    def cut(self) -> None:
        """End it without a word."""
        self._connection.transport.abort()


class _Cuttable(ServerConnection):
    """Ends after it has sent `cut_after` bytes, or when it has heard those that are `left`."""

    cut_after: int | None = None
    left: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.cut_after is not None:
            transport = _Scissors(transport, self.cut_after)  # type: ignore[assignment]  # stands for it
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.left is None:
            super().data_received(data)
            return
        super().data_received(data[: self.left])
        self.left = max(0, self.left - len(data))
        if not self.left:
            self.transport.abort()


class _Scissors:
    """A transport that passes so many bytes on and then breaks."""

    def __init__(self, transport: Any, left: int) -> None:
        self._transport = transport
        self._left = left

    def write(self, data: bytes) -> None:
        self._transport.write(data[: self._left])
        self._left = max(0, self._left - len(data))
        if not self._left:
            self._transport.close()  # what was written still goes out; nothing else does

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
