"""A connection without a socket: what uvicorn's protocol, as the station has it, writes to its transport, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from station_adapters.http.protocols import HttpProtocol, LiveProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

GET = b"GET /lamp HTTP/1.1\r\nHost: station\r\n\r\n"
RUBBISH = b"rubbish\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: station\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Wire(asyncio.Transport):
    """Notes what it's given, each piece by itself."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Nobody is told."""


class Line:
    """A connection; between head and body of an answer *meanwhile* happens."""

    def __init__(self, meanwhile: Callable[[Line], None] = lambda _: None) -> None:
        self.wire = Wire()
        self.answered = asyncio.Event()
        self._meanwhile = meanwhile
        config = Config(self._app, http=HttpProtocol, ws=LiveProtocol, interface="asgi3", log_config=None)
        config.load()
        self.protocol = HttpProtocol(config, ServerState(), {})
        self.protocol.connection_made(self.wire)

    async def _app(self, scope: Any, _: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        self._meanwhile(self)
        await send({"type": "http.response.body", "body": b"on", "more_body": False})
        self.written = list(self.wire.pieces)
        self.answered.set()


async def test_an_answer_is_written_as_one() -> None:
    line = Line()
    line.protocol.data_received(GET)
    await line.answered.wait()

    [answer] = line.written
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\non")


async def test_an_answer_without_a_body_is_written_when_it_is_complete() -> None:
    line = Line()
    line.protocol.data_received(GET.replace(b"GET", b"HEAD"))
    await line.answered.wait()

    [answer] = line.written
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("next_one", [RUBBISH, UPGRADE], ids=["rubbish", "a socket's handshake"])
async def test_what_comes_before_its_body_is_answered_behind_its_head(next_one: bytes) -> None:
    line = Line(lambda line: line.protocol.data_received(next_one))
    line.protocol.data_received(GET)
    await line.answered.wait()

    assert line.wire.pieces[0].startswith(b"HTTP/1.1 200 OK\r\n")
