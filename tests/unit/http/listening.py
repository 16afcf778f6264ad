"""A live socket without a server, and what its client says."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from station_adapters.http.sockets import LiveSocket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_adapters.http.live import LiveHub
    from station_core.home import Home

Message = dict[str, Any]

GONE: Final[Message] = {"type": "websocket.disconnect", "code": 1000}


def as_text(said: bytes) -> Message:
    """As a server hands a text frame on, which it has checked to be UTF-8."""
    return {"type": "websocket.receive", "text": said.decode(errors="replace"), "bytes": None}


class Client:
    """The far end of a live socket, without a server; `told` is what it was sent."""

    def __init__(self, home: Home, hub: LiveHub, cookie: str | None = None) -> None:
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._said.put_nowait({"type": "websocket.connect"})
        receive: Any = self._said.get  # one side of what Litestar types as both
        send: Any = self._hear
        self.socket = LiveSocket(home, hub, receive, send, cookie=cookie)
        self.told: list[Message] = []
        self.code: int | None = None

    def say(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._said.put_nowait(message)

    async def run(self) -> None:
        await self.socket.run()

    async def _hear(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.code = message["code"]
        elif message["type"] == "websocket.send":
            self.told.append(json.loads(message["text"], parse_constant=pytest.fail))
