from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Final

import uvicorn

from station_adapters.http.protocols import HttpProtocol, LiveProtocol
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar import Litestar

GRACE: Final = 1  # seconds for answers that are under way when it ends
LAST_WORDS_WITHIN: Final = 0.2  # seconds
BACKLOG: Final = 1024
SOCKET_MESSAGE_BOUND: Final = 256 * 1024  # bytes; above, the socket is closed, up to it the client is told


class HttpServer:
    """Serves *app* in the station's own loop; port 0 is any that is free, `port` which, once `listening` is set."""

    def __init__(self, app: Litestar, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._wanted = port
        self.port = port
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """
        Serve until cancelled; what is under way is answered then, sockets are closed with 1001, within a second or so.

        Raise `SettingInvalid` when it can't listen there.
        """
        with await _bound(self._host, self._wanted) as sock:
            self.port = sock.getsockname()[1]
            server = _Server(self._config(), self.listening)
            try:
                async with asyncio.TaskGroup() as group:
                    serving = group.create_task(server.serve(sockets=[sock]))
                    try:
                        await asyncio.wait([serving])
                    except asyncio.CancelledError:
                        server.should_exit = True
                        await asyncio.wait([serving], timeout=GRACE + 1)
                        await server.last_words()
                        raise
            finally:
                self.listening.clear()
                server.cut()

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            loop="none",
            http=HttpProtocol,
            ws=LiveProtocol,
            lifespan="off",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            ws_max_size=SOCKET_MESSAGE_BOUND,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=GRACE,
        )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, listening: asyncio.Event) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the supervisor's: uvicorn would raise them again in the middle of everybody's clean-up."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    async def last_words(self) -> None:
        """Let those whose answer isn't waited for any longer say so."""
        if tasks := list(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=LAST_WORDS_WITHIN)

    def cut(self) -> None:
        """Let go of what is left, which is something only after an end that was cut short."""
        for listener in getattr(self, "servers", ()):  # there is none before the start-up
            listener.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.close()


async def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens; raise `SettingInvalid`."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingInvalid(f"STATION_HTTP_HOST {host}: {error.strerror}.") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        why = f"HTTP can't listen on {host}, port {port}: {error.strerror}."
        raise SettingInvalid(f"{why} See STATION_HTTP_HOST and STATION_HTTP_PORT.") from None
    return sock
