"""
One WebSocket to the cloud: the only file that knows websockets.

It goes where the settings say and nowhere else: no redirect is followed and no proxy of the environment is taken, for
the first frame shows the token to whoever is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from station_core.errors import LinkDown

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

    from websockets.asyncio.client import ClientConnection

PATH: Final = "/ws/station"
OPEN_WITHIN: Final = 15.0  # seconds for name, TCP, TLS and the upgrade together
CLOSE_WITHIN: Final = 2.0  # seconds for the goodbye
FRAME_LIMIT: Final = 1024 * 1024  # bytes of an incoming message; a longer one ends the connection (1009)
GOING_AWAY: Final = 1001  # RFC 6455

log = logging.getLogger("station.cloud.socket")
log.setLevel(logging.INFO)  # below that websockets logs what it sends, and the token with it


class CloudLinkDown(LinkDown):
    """The connection ended, or didn't come about; *close_code* is what the cloud ended it with, if it said so."""

    def __init__(self, message: str, close_code: int | None = None) -> None:
        super().__init__(message)
        self.close_code = close_code


@contextlib.contextmanager
def link_errors() -> Iterator[None]:
    """What websockets, TLS and the socket raise, in the core's words."""
    try:
        yield
    except ConnectionClosed as error:
        code = None if error.rcvd is None else error.rcvd.code
        raise CloudLinkDown(_farewell(error), code) from error
    except InvalidStatus as error:
        raise CloudLinkDown(f"The cloud answers with HTTP {error.response.status_code}.") from error
    except (WebSocketException, OSError, UnicodeError, EOFError) as error:  # TimeoutError and ssl.SSLError are OSErrors
        raise CloudLinkDown(str(error) or type(error).__name__) from error


class Socket:
    """A connection that stands."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, frame: str) -> None:
        """Return when it's on its way; raise `CloudLinkDown`."""
        with link_errors():
            await self._connection.send(frame)

    async def receive(self) -> str | bytes:
        """The next message; raise `CloudLinkDown`."""
        with link_errors():
            return await self._connection.recv()

    async def ping(self) -> None:
        """Return with the pong of a ping that is sent after everything before; raise `CloudLinkDown`."""
        with link_errors():
            await (await self._connection.ping())

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, and wait a moment for the other end's."""
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._connection.close(code, reason)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """End it at once, without a word."""
        self._connection.transport.abort()


@contextlib.asynccontextmanager
async def connected(url: str, tls: ssl.SSLContext | None) -> AsyncIterator[Socket]:
    """A connection to *url*, `wss://host[:port]` or `ws://…`; raise `CloudLinkDown` when there is none."""
    with link_errors():
        connection = await _Direct(
            url + PATH,
            ssl=tls,
            proxy=None,
            compression=None,
            user_agent_header=None,
            open_timeout=OPEN_WITHIN,
            ping_interval=None,  # the link has its own heartbeat, by the station's clock
            close_timeout=CLOSE_WITHIN,
            max_size=FRAME_LIMIT,
            logger=log,
        )
    socket = Socket(connection)
    try:
        yield socket
    finally:
        try:
            await socket.close(GOING_AWAY)
        finally:
            socket.abort()


class _Direct(connect):
    """Follows no redirect."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


def _farewell(error: ConnectionClosed) -> str:
    if error.rcvd is None:
        return "The connection broke." if error.sent is None else f"The connection was ended: {error.sent.reason}."
    return f"The cloud closed the connection with {error.rcvd.code}."
