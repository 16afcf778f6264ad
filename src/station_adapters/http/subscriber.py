from __future__ import annotations

import asyncio
from array import array
from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

QUEUE_BOUND: Final = 4 * 1024 * 1024  # bytes that wait for one socket (docs/protocols.md §4)
FRAME_BOUND: Final = 512 * 1024  # bytes of a frame: many clients refuse more than 1 MiB


class News:
    """
    Some messages of the stream, each encoded once, in one piece for all sockets.

    Thousands may wait for a slow one: an object each would be strewn over memory that could never be given back.
    """

    __slots__ = ("_ends", "_text")

    def __init__(self, messages: Sequence[bytes]) -> None:
        self._text = b",".join(messages)
        self._ends = array("I", accumulate(len(message) + 1 for message in messages))  # each behind its comma

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def size(self) -> int:
        """Bytes, a comma behind each message."""
        return self._ends[-1] if self._ends else 0

    def frames(self, *, batch: bool) -> Iterator[tuple[str, int]]:
        """A frame for each message, or arrays of up to 512 KiB, at least one message each; beside it its `size`."""
        for start, end in self._parts() if batch else self._messages():
            text = self._text[start : end - 1].decode()
            yield f"[{text}]" if batch else text, end - start

    def _messages(self) -> Iterator[tuple[int, int]]:
        start = 0
        for end in self._ends:
            yield start, end
            start = end

    def _parts(self) -> Iterator[tuple[int, int]]:
        first = 0
        for start, end in self._messages():
            if start > first and end - first > FRAME_BOUND:
                yield first, start
                first = start
        yield first, self._ends[-1]


class Subscriber:
    """
    What waits to be sent to one live socket: bounded, and nobody ever waits for it.

    Overflow policy: all that waits is dropped, and what comes too; the socket's next frame is a fresh snapshot then,
    made when the socket can take it. So begins every subscriber.
    """

    def __init__(self, snapshot: Callable[[], str], *, batch: bool) -> None:
        self._snapshot = snapshot
        self.batch = batch
        self._waiting: deque[Iterator[tuple[str, int]]] = deque()
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
        if self._stale or not news:
            return
        # A single message is never too much: it may be larger than the bound.
        if self._size + news.size > QUEUE_BOUND and (self._size or len(news) > 1):
            self.restart()
            return
        self._waiting.append(news.frames(batch=self.batch))
        self._size += news.size
        self._wake.set()

    def restart(self) -> None:
        """Drop what waits, begin anew with a snapshot."""
        self._waiting.clear()
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
            frame = self._take()
        if not self._size:
            self._waiting.clear()  # what has been told entirely, too
            self._wake.clear()
        return frame

    def _take(self) -> str:
        while (following := next(self._waiting[0], None)) is None:
            self._waiting.popleft()
        frame, size = following
        self._size -= size
        return frame
