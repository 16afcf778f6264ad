from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from station_core.cloud.session import Close

FRAMES: Final = 1_000
BYTES: Final = 4 * 1024 * 1024

Pong: TypeAlias = "asyncio.Future[None]"


class Outlet:
    """
    What waits to be sent over one link, in order: frames, pings that somebody waits for the pong of, and the goodbye.

    Taking in never waits; who has a lot to send waits for `room` first, which is there below half the bounds again.
    """

    def __init__(self, *, frames: int = FRAMES, size: int = BYTES) -> None:
        self._bounds = (frames, size)
        self._waiting: deque[str | Pong | Close] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, frame: str) -> None:
        """Send a frame after all that waits."""
        self._waiting.append(frame)
        self._size += len(frame)
        self._wake.set()
        if len(self._waiting) >= self._bounds[0] or self._size >= self._bounds[1]:
            self._room.clear()

    def ping(self) -> Pong:
        """Send a ping after all that waits; the future is done with its pong."""
        pong: Pong = asyncio.get_running_loop().create_future()
        self._waiting.append(pong)
        self._wake.set()
        return pong

    def close(self, order: Close) -> None:
        """Say goodbye after all that waits."""
        self._waiting.append(order)
        self._wake.set()

    async def room(self) -> None:
        """Return when there's room."""
        await self._room.wait()

    async def take(self) -> str | Pong | Close:
        """What is to be sent next."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        item = self._waiting.popleft()
        if isinstance(item, str):
            self._size -= len(item)
        if len(self._waiting) * 2 <= self._bounds[0] and self._size * 2 <= self._bounds[1]:
            self._room.set()
        return item
