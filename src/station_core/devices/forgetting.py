from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.clock import RELEASED
from station_core.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_core.clock import Clock
    from station_core.devices.ports import DeviceStore

log = logging.getLogger("station.devices")

KEPT_FOR: Final = timedelta(days=30)  # docs/protocols.md §5
CHECKED_EVERY: Final = 600.0  # seconds
BATCH: Final = 1_000  # activities forgotten in one transaction, for what devices report must not wait long for it
PAUSE: Final = 0.5  # seconds between two of them
EVEN_FOR: Final = 3_600.0  # seconds
JUMP: Final = 60.0  # seconds between two checks that are more than drift, or the network's small corrections


class Forgetting:
    """
    Activities go when they are 30 days old.

    What is gone is gone, so it's done only while the wall clock is known to be right: it shows a time after `RELEASED`,
    and for an hour it has gone as evenly as the monotonic clock.
    """

    def __init__(self, *, store: DeviceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._offset = float("-inf")  # of the wall clock to the monotonic one, when both were compared last
        self._even_since = 0.0

    async def run(self) -> None:
        """Forget until cancelled."""
        while True:
            try:
                await self.forget()
            except (StoreUnavailable, StoreFull) as trouble:
                log.info("old activities stay for now", extra={"reason": str(trouble)})
            await self._clock.sleep(CHECKED_EVERY)

    async def forget(self) -> int:
        """Forget all that are too old, and return how many that were; raise what the store raises."""
        if not self._is_right():
            return 0
        before = self._clock.now() - KEPT_FOR
        forgotten = 0
        while (gone := await self._store.forget_activities(before=before, limit=BATCH)) >= BATCH:
            forgotten += gone
            await self._clock.sleep(PAUSE)
        forgotten += gone
        if forgotten:
            log.info("old activities are forgotten", extra={"count": forgotten})
        return forgotten

    def _is_right(self) -> bool:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        offset = (now - RELEASED).total_seconds() - monotonic
        if abs(offset - self._offset) > JUMP:
            self._even_since = monotonic
        self._offset = offset
        return now >= RELEASED and monotonic - self._even_since >= EVEN_FOR
