from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

NEW_YEAR: Final = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryClock:
    """A clock that stands still until it is told to go on: days pass in milliseconds, and always the same way."""

    def __init__(self, now: datetime = NEW_YEAR) -> None:
        self.wall = now
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The wall clock; assign `wall` to make it jump without any time going by."""
        return self.wall

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Return when `advance` has brought that time."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), awake))
        await awake

    async def advance(self, seconds: float) -> None:
        """Let time go by: who sleeps wakes in order, each seeing its own hour, and what follows from it is done."""
        end = self._monotonic + seconds
        await settled()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, awake = heapq.heappop(self._sleepers)
            self._go_to(due)
            if not awake.done():
                awake.set_result(None)
                await settled()
        self._go_to(end)
        await settled()

    def leap(self, seconds: float) -> None:
        """Let time go by at once, as over weeks in which nothing happens; who sleeps wakes at the next `advance`."""
        self._go_to(self._monotonic + seconds)

    def _go_to(self, instant: float) -> None:
        self.wall += timedelta(seconds=instant - self._monotonic)
        self._monotonic = instant


async def settled(turns: int = 25) -> None:
    """Let every task run until, most likely, all of them wait: *turns* rounds of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)


class MemoryRandomness:
    """Ids and tokens that look random and are the same in each run with the same seed: for tests, never for a home."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  # repeatable on purpose, see the class

    def uuid(self) -> str:
        """The next id."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def token(self) -> str:
        """The next token."""
        return f"{self._random.getrandbits(256):064x}"
