from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from station_core.audit.model import DONE, STATION, STRANGER, SYSTEM, Action, Deed
from station_core.errors import ChangeRefused, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_core.audit.ports import AuditStore
    from station_core.clock import Clock

log = logging.getLogger("station.audit")

QUEUE_BOUND: Final = 1_000  # deeds that wait while the store is away
BATCH: Final = 100  # deeds in one transaction
BACK_OFF: Final = (0.5, 30.0)  # seconds between attempts while the store is away: first, longest
# Whoever fails on purpose must not fill the disk: at this rate 180 days of it take some 60 MB.
AT_ONCE: Final = 100.0
A_SECOND: Final = 1 / 60


class Audit:
    """
    Deeds that changed nothing (a failed login): queued, kept in batches, nobody waits for them.

    What is too much is dropped and counted: beyond the queue's bound while the store is away; of what strangers do, and
    of what others are refused, all but a burst and one a minute. A record tells how many aren't there (`AUDIT_GAP`),
    before the next that is.
    """

    def __init__(self, *, store: AuditStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: deque[Deed] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._strangers = Allowance(clock)
        self._refusals = Allowance(clock)
        self._missing = 0
        self.dropped = 0
        """Deeds that were never kept, in this run."""

    def note(self, deed: Deed) -> None:
        """Take a deed in; never waits."""
        if len(self._waiting) >= QUEUE_BOUND or not self._may_be_noted(deed):
            self._drop(1)
            return
        self._waiting.append(deed)
        self._idle.clear()
        self._wake.set()

    async def drained(self) -> None:
        """Return when nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Keep what comes, until cancelled; what waits then is kept by the next run, if there is one."""
        pause, longest = BACK_OFF
        size = BATCH
        while True:
            await self._wake.wait()
            taken = list(islice(self._waiting, size))
            try:
                await self._keep(taken)
            except ChangeRefused as refusal:
                if len(taken) > 1:  # one of them, which is found alone
                    size = 1
                    continue
                log.warning("the store can't keep what was done, dropped", extra={"reason": str(refusal)})
                self._drop(1)
            except (StoreUnavailable, StoreFull) as trouble:
                log.info("what was done is recorded later", extra={"reason": str(trouble)})
                await self._clock.sleep(pause)
                pause = min(pause * 2, longest)
                continue
            else:
                size = BATCH
            pause = BACK_OFF[0]
            for _ in taken:
                self._waiting.popleft()
            if not self._waiting:
                self._wake.clear()
                self._idle.set()

    async def _keep(self, deeds: list[Deed]) -> None:
        missing = self._missing
        gap = Deed(
            actor=SYSTEM,
            action=Action.AUDIT_GAP,
            subject=STATION,
            at=self._clock.now(),
            detail={"missing": missing},
        )
        await self._store.keep([gap, *deeds] if missing else deeds)
        self._missing -= missing

    def _drop(self, count: int) -> None:
        if not self._missing:
            log.warning("more is done than is recorded")
        self._missing += count
        self.dropped += count

    def _may_be_noted(self, deed: Deed) -> bool:
        if deed.actor == STRANGER:
            return self._strangers.take()
        return deed.result == DONE or self._refusals.take()


class Allowance:
    """So many at once, and so many again as time goes by."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = AT_ONCE
        self._at = clock.monotonic()

    def take(self) -> bool:
        """Whether there was one left."""
        now = self._clock.monotonic()
        self._left = min(AT_ONCE, self._left + (now - self._at) * A_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
