from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from station_core.clock import RELEASED, is_plausible
from station_core.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime, timedelta

    from station_core.clock import Clock

log = logging.getLogger("station.store")

CHECKED_EVERY: Final = 600.0  # seconds
BATCH: Final = 1_000  # forgotten in one transaction, for what devices report must not wait long for it
PAUSE: Final = 0.5  # seconds between two of them
EVEN_FOR: Final = 3_600.0  # seconds
JUMP: Final = 60.0  # seconds between two checks that are more than drift, or the network's small corrections


@dataclass(frozen=True, slots=True, kw_only=True)
class Perishable:
    """Something that is kept for a while only; *forget*: at most so many of what is older, returns how many it were."""

    name: str
    kept_for: timedelta
    forget: Callable[[datetime, int], Awaitable[int]]


class Forgetting:
    """
    What is perishable goes when its time is over: activities after 30 days, records of the audit after 180.

    What is gone is gone, so it's done only while the wall clock is known to be right: what it shows is
    plausible, and for an hour it has gone as evenly as the monotonic clock.
    """

    def __init__(self, *, perishables: Sequence[Perishable], clock: Clock) -> None:
        self._perishables = perishables
        self._clock = clock
        self._offset = float("-inf")  # of the wall clock to the monotonic one, when both were compared last
        self._even_since = 0.0

    async def run(self) -> None:
        """Forget until cancelled."""
        while True:
            try:
                await self.forget()
            except (StoreUnavailable, StoreFull) as trouble:
                log.info("what is old stays for now", extra={"reason": str(trouble)})
            await self._clock.sleep(CHECKED_EVERY)

    async def forget(self) -> int:
        """Forget all that is too old, and return how many that were; raise what the store raises."""
        now = self._clock.now()  # once: it may jump while many are forgotten
        if not self._is_right(now):
            return 0
        return sum([await self._forget(perishable, now - perishable.kept_for) for perishable in self._perishables])

    async def _forget(self, perishable: Perishable, before: datetime) -> int:
        forgotten = 0
        while (gone := await perishable.forget(before, BATCH)) >= BATCH:
            forgotten += gone
            await self._clock.sleep(PAUSE)
        forgotten += gone
        if forgotten:
            log.info("what is old is forgotten", extra={"what": perishable.name, "count": forgotten})
        return forgotten

    def _is_right(self, now: datetime) -> bool:
        monotonic = self._clock.monotonic()
        offset = (now - RELEASED).total_seconds() - monotonic
        if abs(offset - self._offset) > JUMP:
            self._even_since = monotonic
        self._offset = offset
        return is_plausible(now) and monotonic - self._even_since >= EVEN_FOR
