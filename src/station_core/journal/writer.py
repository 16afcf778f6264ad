from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic

from station_core.errors import ChangeRefused, Malformed, StationError, StoreFull, StoreUnavailable
from station_core.journal.batch import Batch, C
from station_core.journal.deliveries import Deliveries
from station_core.measures import SECONDS, SIZES, Distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from station_core.clock import Clock
    from station_core.journal.batch import Keeper
    from station_core.journal.deliveries import Delivery

log = logging.getLogger("station.journal")

BATCH_BOUND: Final = 3_000  # changes; beyond it a batch costs memory and gains no speed (bench/ingest.py)
GATHERED: Final = 1_500  # changes for which a commit waits while `crowded`
LOOKS: Final = 10  # at most, meanwhile; `append` runs for each report, and has no time to tell
LOOK_EACH: Final = 0.005  # seconds; reports have waited four times as long as all of them at the edge then
JOURNAL_BOUND: Final = 6_000  # changes that may wait; edges take nothing more in at half of it (`full`)
WEIGHT_BOUND: Final = 32 * 1024 * 1024  # bytes of JSON that may wait; in memory they take some times that
PATIENCE: Final = 5.0  # seconds that a waiter gives the store
BACK_OFF: Final = (0.05, 2.0)  # seconds between attempts while the store is away: first, longest


class Journal(Generic[C]):
    """
    Takes changes in without waiting, keeps them in order.

    After each commit, in this order: *on_kept* (changes in order), then the receipts. A change that the store can never
    keep is found by halving its batch, told to *on_refused* and dropped: it stands alone, the others are kept.
    """

    def __init__(
        self,
        keeper: Keeper[C],
        clock: Clock,
        *,
        on_kept: Callable[[Sequence[C]], None],
        on_refused: Callable[[C], None],
        on_trouble: Callable[[StationError | None], None] = lambda _: None,
    ) -> None:
        self._keeper = keeper
        self._clock = clock
        self._on_kept = on_kept
        self._on_refused = on_refused
        self._on_trouble = on_trouble
        self._waiting: deque[Batch[C]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._number = 0
        self._deliveries = Deliveries()
        self._on_room: Callable[[], None] | None = None
        self.trouble: StationError | None = None
        self.crowded = False
        """Set by an edge while it holds back more than one batch: commits wait for larger ones then."""
        self.waiting = 0
        self.weight = 0
        self.commits = 0
        self.refused = 0
        self.batch_sizes = Distribution(SIZES)  # changes of what was committed
        self.commit_seconds = Distribution(SECONDS)

    def resume(self, last_number: int, deliveries: Mapping[int, Sequence[Delivery]]) -> None:
        """Go on after the last batch that the store has, with the deliveries on record by batch, oldest first."""
        self._number = last_number
        self._deliveries.clear()
        # What is on record stays there as long as if it had come in this run: its acknowledgement may have been lost.
        # Nor does it stay longer: a house that starts each night would never come to forget any of it.
        for number, brought in deliveries.items():
            for delivery in brought:
                self._deliveries.expect(delivery)
            self._deliveries.record(number, brought)

    def delivered(self, delivery: Delivery) -> bool:
        """Whether this delivery is on record, or about to be; ask only for one that its sender marks as repeated."""
        return delivery in self._deliveries

    def forget_deliveries(self) -> None:
        """The other end has begun anew and numbers from the start: nothing that is on record will come again."""
        if self._deliveries:
            # The store forgets with the next commit: a run after this one must not believe what is on record there.
            self._open().forgets = True
        self._deliveries.clear()
        for batch in self._waiting:
            batch.deliveries = []

    @property
    def full(self) -> bool:
        """Whether edges should take nothing more in: half is taken, so that what is in flight still finds room."""
        return self.waiting >= JOURNAL_BOUND // 2 or self.weight >= WEIGHT_BOUND // 2

    def check_room(self) -> None:
        """Raise `StoreUnavailable` or `StoreFull` while `full`."""
        if self.full:
            raise self._why("The journal is full.")

    def when_roomy(self, call: Callable[[], None]) -> None:
        """Call once, soon after half of what makes it `full` is free again; asked twice, it's called once."""
        self._on_room = call

    def append(self, change: C, delivery: Delivery | None = None, weight: int = 0) -> Batch[C]:
        """Take a change in, of so many bytes; its batch is the receipt."""
        batch = self._open()
        batch.changes.append(change)
        batch.weight += weight
        if delivery is not None:
            self._expect(delivery, batch)
        self.waiting += 1
        self.weight += weight
        return batch

    def also_delivered(self, delivery: Delivery) -> None:
        """Another message has its effect in the change that was appended last."""
        self._expect(delivery, self._waiting[-1])

    def pass_by(self, delivery: Delivery | None = None) -> Batch[C]:
        """
        The receipt for a message without effect: it resolves in its order, after all that came before it.

        With its *delivery* it has none later either: coming again after what followed on it, it might.
        """
        batch = self._open()
        if delivery is not None:
            self._expect(delivery, batch)
        return batch

    def kept(self, receipt: Batch[C]) -> Coroutine[Any, Any, None]:
        """
        Wait until the change that was just appended under this receipt is kept.

        Raise `Malformed` when the store can never keep it; `StoreUnavailable` or `StoreFull` when the store doesn't
        answer in time: the change may still be kept later then.
        """
        return self._kept(receipt, receipt.changes[-1:])

    async def drained(self) -> None:
        """Return when nothing waits."""
        await self._idle.wait()

    def drop(self, doomed: Callable[[C], bool]) -> None:
        """Refuse what waits and builds on a refused change; for *on_refused* alone, while nothing is in flight."""
        for batch in self._waiting:
            if fallen := [change for change in batch.changes if doomed(change)]:
                batch.changes = [change for change in batch.changes if not doomed(change)]
                batch.refused += fallen
                self.waiting -= len(fallen)
                self.refused += len(fallen)

    async def run(self) -> None:
        """Keep what comes, until cancelled; what waits then is kept by the next run, if there is one."""
        while True:
            await self._wake.wait()
            while self._waiting:
                batch = self._waiting[0]
                try:
                    await self._keep(batch)
                except ChangeRefused as refusal:
                    self._halve(batch, refusal)
                else:
                    self._settle(batch)
            self._troubled(None)  # nothing is left that the store wouldn't take: it may have refused the last of it
            self._wake.clear()
            self._idle.set()

    def _open(self) -> Batch[C]:
        # The first of several may be in flight: a numbered batch is closed.
        if self._waiting:
            batch = self._waiting[-1]
            if batch.number == 0 and len(batch.changes) < BATCH_BOUND:
                return batch
        batch = Batch()
        self._waiting.append(batch)
        self._idle.clear()
        self._wake.set()
        return batch

    def _expect(self, delivery: Delivery, batch: Batch[C]) -> None:
        batch.deliveries.append(delivery)
        self._deliveries.expect(delivery)

    async def _keep(self, batch: Batch[C]) -> None:
        """Commit until the store answers; its waiters have deadlines of their own."""
        if not batch.changes and not batch.deliveries and not batch.forgets:
            return
        if batch.number == 0:
            await self._gather(batch)
            self._number += 1
            batch.number = self._number
            batch.oldest = self._deliveries.record(batch.number, batch.deliveries)
        pause, longest = BACK_OFF
        while True:
            began = self._clock.monotonic()
            try:
                await self._keeper.commit(batch)
            except (StoreUnavailable, StoreFull) as trouble:
                self._troubled(trouble)
                await self._clock.sleep(pause)
                pause = min(pause * 2, longest)
            else:
                self.commits += 1
                self.commit_seconds.observe(self._clock.monotonic() - began)
                self.batch_sizes.observe(len(batch.changes))
                self._troubled(None)
                self._on_kept(batch.changes)
                return

    async def _gather(self, batch: Batch[C]) -> None:
        """Let the batch grow in overload: of each device the store is given but its last change, so it costs less."""
        before = -1
        for _ in range(LOOKS):
            size = max(len(batch.changes), len(batch.deliveries))
            if not self.crowded or self.full or batch is not self._waiting[-1]:
                return  # nothing more comes, or not into this one
            if not before < size < GATHERED:
                return  # of a flood of rubbish nothing gets here
            before = size
            await self._clock.sleep(LOOK_EACH)

    def _halve(self, batch: Batch[C], refusal: ChangeRefused) -> None:
        """Put its halves in its place, or, of a change that stands alone, what remains: its deliveries."""
        self._waiting.popleft()
        self._deliveries.strike(batch.number)
        size = len(batch.changes)
        if size > 1:
            self._waiting.extendleft((batch.part(size // 2, size), batch.part(0, size // 2)))
            return
        [change] = batch.changes
        self._waiting.appendleft(batch.part(1, 1))
        batch.refused.append(change)
        self.waiting -= 1
        self.refused += 1
        log.error(
            "change refused by the store, dropped", extra={"reason": str(refusal), "change": type(change).__name__}
        )
        self._on_refused(change)

    def _settle(self, batch: Batch[C]) -> None:
        self._waiting.popleft()
        self.waiting -= len(batch.changes)
        self.weight -= batch.weight
        if not batch.done.done():
            batch.done.set_result(None)
        if self._on_room is not None and self.waiting < JOURNAL_BOUND // 4 and self.weight < WEIGHT_BOUND // 4:
            on_room, self._on_room = self._on_room, None
            on_room()

    async def _kept(self, receipt: Batch[C], mine: Sequence[C]) -> None:
        async with asyncio.TaskGroup() as group:
            patience = group.create_task(self._clock.sleep(PATIENCE))
            await asyncio.wait((receipt.done, patience), return_when=asyncio.FIRST_COMPLETED)
            patience.cancel()
        if not receipt.done.done():
            raise self._why("The database doesn't answer.")
        if any(change is refused for change in mine for refused in receipt.refused):
            raise Malformed("The store can't keep this content.")

    def _troubled(self, trouble: StationError | None) -> None:
        if (type(trouble), str(trouble)) != (type(self.trouble), str(self.trouble)):
            self.trouble = trouble
            self._on_trouble(trouble)

    def _why(self, otherwise: str) -> StationError:
        # A fresh one each time: an error that is raised again and again grows by its traceback.
        return StoreUnavailable(otherwise) if self.trouble is None else type(self.trouble)(str(self.trouble))
