from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUEUE_BOUND: Final = 4 * 1024 * 1024  # characters that wait for one socket (docs/protocols.md §4)
FRAME_BOUND: Final = 512 * 1024  # bytes of a frame: many clients refuse more than 1 MiB


class News:
    """Some messages of the stream, each encoded once, put into frames once for all sockets of a kind."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self._messages = messages
        self._single: list[str] | None = None
        self._batched: list[str] | None = None

    @property
    def single(self) -> list[str]:
        """A frame for each message."""
        if self._single is None:
            self._single = [message.decode() for message in self._messages]
        return self._single

    @property
    def batched(self) -> list[str]:
        """All in one frame, an array; in some, when it would be over 512 KiB."""
        if self._batched is None:
            self._batched = [f"[{b','.join(part).decode()}]" for part in self._parts()]
        return self._batched

    def _parts(self) -> list[list[bytes]]:
        parts: list[list[bytes]] = [[]]
        size = 0
        for message in self._messages:
            if size + len(message) > FRAME_BOUND and parts[-1]:
                parts.append([])
                size = 0
            parts[-1].append(message)
            size += len(message) + 1
        return parts


class Subscriber:
    """
    What waits to be sent to one live socket: bounded, and nobody ever waits for it.

    Overflow policy: all that waits is dropped, and what comes too; the socket's next frame is a fresh snapshot then,
    made when the socket can take it. So begins every subscriber.
    """

    def __init__(self, snapshot: Callable[[], str], *, batch: bool) -> None:
        self._snapshot = snapshot
        self.batch = batch
        self._frames: deque[str] = deque()
        self._size = 0
        self._stale = True
        self._wake = asyncio.Event()
        self._wake.set()

    @property
    def follows(self) -> bool:
        """Whether it wants news; else it waits for a snapshot."""
        return not self._stale

    def push(self, news: News) -> None:
        """Let this follow on what was pushed before."""
        if self._stale:
            return
        for frame in news.batched if self.batch else news.single:
            # One frame is never too much: a commit may be larger than the bound.
            if self._frames and self._size + len(frame) > QUEUE_BOUND:
                self.restart()
                return
            self._frames.append(frame)
            self._size += len(frame)
        self._wake.set()

    def restart(self) -> None:
        """Drop what waits, begin anew with a snapshot."""
        self._frames.clear()
        self._size = 0
        self._stale = True
        self._wake.set()

    async def next(self) -> str:
        """The next frame, once there is one."""
        await self._wake.wait()
        if self._stale:
            frame = self._snapshot()
            self._stale = False
        else:
            frame = self._frames.popleft()
            self._size -= len(frame)
        if not self._frames:
            self._wake.clear()
        return frame
