"""
How much may wait to go up to the cloud, and what gives way when it's too much.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from station_core.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.clock import Clock
    from station_core.cloud.letters import Rank
    from station_core.cloud.ports import Outbox
    from station_core.cloud.status import CloudBoard

log = logging.getLogger("station.cloud")

LOOK_EVERY: Final = 10.0  # seconds: what comes in between may be over the bounds
AT_ONCE: Final = 2_000  # letters that are dropped in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may wait: letters, and bytes of their JSON. States, one a device at most, aren't counted."""

    letters: int = 200_000
    bytes: int = 64 * 1024 * 1024


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How much waits of a rank."""

    letters: int
    bytes: int


def first_to_fall(held: Mapping[Rank, Held], bounds: Bounds) -> tuple[Rank, Held] | None:
    """Of which rank letters have to go, and how much at least, as far as it has that; None: all is within bounds."""
    letters = sum(one.letters for one in held.values()) - bounds.letters
    size = sum(one.bytes for one in held.values()) - bounds.bytes
    if letters <= 0 and size <= 0:
        return None
    lowest = min(rank for rank, one in held.items() if one.letters)
    return lowest, Held(letters=max(0, letters), bytes=max(0, size))


def falling(sizes: Sequence[tuple[int, int]], least: Held) -> list[int]:
    """Of letters by seq and size, oldest first, the seqs of those that have to go."""
    fallen: list[int] = []
    size = 0
    for seq, own in sizes:
        if len(fallen) >= least.letters and size >= least.bytes:
            break
        fallen.append(seq)
        size += own
    return fallen


class OutboxBounds:
    """Keeps what waits within bounds, tells the board since when it does; `dropped` counts by rank what gave way."""

    def __init__(self, *, outbox: Outbox, board: CloudBoard, clock: Clock, bounds: Bounds = BOUNDS) -> None:
        self._outbox = outbox
        self._board = board
        self._clock = clock
        self._bounds = bounds
        self.dropped: Counter[Rank] = Counter()

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            with suppress(StoreUnavailable, StoreFull):  # nothing comes in then
                await self._look()
            await self._clock.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        while fallen := await self._outbox.cut(self._bounds, limit=AT_ONCE):
            if not self.dropped:
                log.warning("too much waits for the cloud: the least of it is dropped from now on")
            self.dropped.update(fallen)
        self._board.oldest_unsent = await self._outbox.oldest()
