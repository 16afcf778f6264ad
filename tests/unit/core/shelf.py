"""A keeper of words whose failures the test chooses, and a journal over it."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING

from station_adapters.memory.clock import MemoryClock, settled
from station_core.errors import ChangeRefused, StationError, StoreUnavailable
from station_core.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.journal import Batch, Delivery


class Fate(Enum):
    """What becomes of a commit."""

    KEPT = auto()
    AWAY = auto()
    ANSWER_LOST = auto()  # kept, but the journal gets to hear that the store is away


class Shelf:
    """Keeps what it is given, as the contract of `Keeper` says, but no `poison`; raises `trouble` while it's set."""

    def __init__(self, poison: set[str] | None = None) -> None:
        self.poison = poison or set()
        self.fates: deque[Fate] = deque()
        self.trouble: StationError | None = None
        self.words: list[str] = []
        self.batches: list[list[str]] = []
        self.last_number = 0
        self.deliveries: dict[int, list[Delivery]] = {}

    async def commit(self, batch: Batch[str]) -> None:
        changes, deliveries = list(batch.changes), list(batch.deliveries)
        await settled(3)
        if self.trouble is not None:
            raise self.trouble
        fate = self.fates.popleft() if self.fates else Fate.KEPT
        if fate is Fate.AWAY:
            raise StoreUnavailable
        if batch.number > self.last_number:
            if self.poison.intersection(changes):
                raise ChangeRefused
            self.words += changes
            self.batches.append(changes)
            self.last_number = batch.number
            self.deliveries = {number: kept for number, kept in self.deliveries.items() if number >= batch.oldest}
            if deliveries:
                self.deliveries[batch.number] = deliveries
        await settled(3)
        if fate is Fate.ANSWER_LOST:
            raise StoreUnavailable

    @property
    def on_record(self) -> list[Delivery]:
        return [delivery for brought in self.deliveries.values() for delivery in brought]


class Desk:
    """A journal over a shelf, and what it told."""

    def __init__(self, *poison: str, shelf: Shelf | None = None) -> None:
        self.shelf = shelf or Shelf(set(poison))
        self.clock = MemoryClock()
        self.told: list[str] = []
        self.refused: list[str] = []
        self.troubles: list[StationError | None] = []
        self.journal: Journal[str] = Journal(
            self.shelf,
            self.clock,
            on_kept=self.told.extend,
            on_refused=self.refused.append,
            on_trouble=self.troubles.append,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Journal[str]]:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            running = group.create_task(self.journal.run())
            yield self.journal
            running.cancel()
