from __future__ import annotations

import asyncio
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

QUEUE_BOUND: Final = 4 * 1024 * 1024  # bytes that wait for one socket (docs/protocols.md §4)
FRAME_BOUND: Final = 512 * 1024  # bytes of a frame: many clients refuse more than 1 MiB
_TRIMMED_AT: Final = 256 * 1024  # bytes that were sent and still lie before those that wait


class News:
    """Some messages of the stream, each encoded once, in one piece for all sockets; a comma stands behind each."""

    __slots__ = ("_ends", "text")

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.text = b"".join([message + b"," for message in messages])
        self._ends = list(accumulate(len(message) + 1 for message in messages))

    def __len__(self) -> int:
        return len(self._ends)

    def ends(self, *, batch: bool) -> Sequence[int]:
        """Where its frames end: each message is one, or as many as go into 512 KiB and at least one."""
        return list(self._parts()) if batch else self._ends

    def _parts(self) -> Iterator[int]:
        first = start = 0
        for end in self._ends:
            if start > first and end - first > FRAME_BOUND:
                yield start
                first = start
            start = end
        yield start


class Subscriber:
    """
    What waits to be sent to one live socket: bounded, and nobody ever waits for it.

    Overflow policy: all that waits is dropped, and what comes too; the socket's next frame is a fresh snapshot then,
    made when the socket can take it. So begins every subscriber.

    Tens of thousands of frames may wait for a slow socket. They lie in one piece of memory: an object each would be
    strewn among others that stay, and Python could give none of it back.
    """

    def __init__(self, snapshot: Callable[[], str], *, batch: bool) -> None:
        self._snapshot = snapshot
        self.batch = batch
        self._text = bytearray()
        self._ends = array("I")  # of the frames
        self._start = self._next = 0  # of the next one
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
        waiting = len(self._text) - self._start
        # A single message is never too much: it may be larger than the bound.
        if waiting + len(news.text) > QUEUE_BOUND and (waiting or len(news) > 1):
            self.restart()
            return
        before = len(self._text)
        self._ends.extend([before + end for end in news.ends(batch=self.batch)])
        self._text += news.text
        self._wake.set()

    def restart(self) -> None:
        """Drop what waits, begin anew with a snapshot."""
        self._forget()
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
        if not self._ends:
            self._wake.clear()
        return frame

    def _take(self) -> str:
        end = self._ends[self._next]
        text = self._text[self._start : end - 1].decode()
        self._start, self._next = end, self._next + 1
        if self._next == len(self._ends):
            self._forget()
        elif self._start > _TRIMMED_AT:
            del self._text[: self._start]
            self._ends = array("I", [end - self._start for end in self._ends[self._next :]])
            self._start = self._next = 0
        return f"[{text}]" if self.batch else text

    def _forget(self) -> None:
        self._text, self._ends = bytearray(), array("I")
        self._start = self._next = 0
