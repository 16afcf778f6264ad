"""
Group commit: what was applied in memory is kept in batches that form while the previous commit is in flight.

One writer takes whatever has accumulated, commits it as one, tells what happened, then releases whoever waits. The
batch sizes itself: one change when the house is quiet, hundreds under load; nobody ever waits for a timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar

from station_core.errors import ChangeRefused, Malformed, StationError, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from station_core.clock import Clock

log = logging.getLogger("station.journal")

C = TypeVar("C")

Delivery: TypeAlias = tuple[int, int]
"""What identifies a message that may come again: its packet id and the CRC-32 of its topic and payload."""

BATCH_BOUND: Final = 8_000  # changes; beyond it a batch costs memory and gains no speed (bench/ingest.py)
JOURNAL_BOUND: Final = 16_000  # changes that may wait; edges stop reading at half of it (`full`)
PATIENCE: Final = 5.0  # seconds that a waiter gives the store
BACK_OFF: Final = (0.05, 2.0)  # seconds between attempts while the store is away: first, longest
DELIVERIES_KEPT: Final = 16_384  # newest deliveries on record: far below the 65,535 ids after which they are used anew
BATCHES_KEPT: Final = 1_000


class Batch(Generic[C]):
    """
    Some changes that are kept as one, and the deliveries that brought them; the receipt of every change in it.

    `number` is the store's means against keeping a batch twice when the answer to a commit was lost; `oldest` is the
    number of the oldest batch whose deliveries are still of use.
    """

    __slots__ = ("changes", "deliveries", "done", "number", "oldest", "refused")

    def __init__(self) -> None:
        self.number = 0
        self.oldest = 0
        self.changes: list[C] = []
        self.deliveries: list[Delivery] = []
        self.refused: list[C] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def part(self, start: int, end: int) -> Batch[C]:
        """
        Some of its changes as a batch of their own.

        The deliveries go with the last: were they on record before all changes are, a crash in between would lose some.
        """
        part = type(self)()
        part.changes = self.changes[start:end]
        part.deliveries = self.deliveries if end == len(self.changes) else []
        return part


class Keeper(Protocol[C]):
    """The durable end of the journal."""

    async def commit(self, batch: Batch[C]) -> None:
        """
        Keep the batch as one: all its changes in their order, its deliveries, its number; drop those before `oldest`.

        A batch whose number is on record is kept already: return, change nothing. Raise `ChangeRefused` when the
        content of a change can never be kept, `StoreUnavailable` or `StoreFull` when it can't be now; nothing of the
        batch is kept then.
        A cancelled commit is kept whole or not at all.
        """
        ...


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
        self._record: deque[tuple[int, int]] = deque()  # batch number, how many deliveries
        self._recorded = 0
        self._delivered: dict[int, int] = {}  # packet id → CRC-32; the newest of each id, so never over 65,535
        self._on_room: Callable[[], None] | None = None
        self.trouble: StationError | None = None
        self.waiting = 0
        self.commits = 0
        self.refused = 0

    def resume(self, last_number: int, deliveries: Sequence[Delivery]) -> None:
        """Go on after the last batch that the store has on record, with the deliveries on record, oldest first."""
        self._number = last_number
        self._delivered = dict(deliveries)
        # What is on record stays there as long as if it had come in this run: its acknowledgement may have been lost.
        self._record.append((0, len(deliveries)))
        self._recorded = len(deliveries)

    def delivered(self, delivery: Delivery) -> bool:
        """Whether this delivery is on record, or about to be; ask only for one that its sender marks as repeated."""
        return self._delivered.get(delivery[0]) == delivery[1]

    def forget_deliveries(self) -> None:
        """The other end has begun anew and numbers from the start: nothing that is on record will come again."""
        self._record.clear()
        self._recorded = 0
        self._delivered.clear()
        for batch in self._waiting:
            if batch.number == 0:
                batch.deliveries.clear()

    @property
    def full(self) -> bool:
        """Whether edges should stop reading: half of the bound is taken, so that what is in flight still finds room."""
        return self.waiting >= JOURNAL_BOUND // 2

    def when_roomy(self, call: Callable[[], None]) -> None:
        """Call once, soon after half of what makes it `full` is free again; asked twice, it's called once."""
        self._on_room = call

    def append(self, change: C, delivery: Delivery | None = None) -> Batch[C]:
        """Take a change in; its batch is the receipt."""
        batch = self._open()
        batch.changes.append(change)
        if delivery is not None:
            batch.deliveries.append(delivery)
            self._delivered[delivery[0]] = delivery[1]
        self.waiting += 1
        return batch

    def also_delivered(self, delivery: Delivery) -> None:
        """Another message has its effect in the change that was appended last."""
        self._waiting[-1].deliveries.append(delivery)
        self._delivered[delivery[0]] = delivery[1]

    def pass_by(self) -> Batch[C]:
        """The receipt for a message without effect: it resolves in its order, after all that came before it."""
        return self._open()

    async def kept(self, change: C) -> None:
        """
        Take a change in and return once it is kept.

        Raise `Malformed` when the store can never keep it; `StoreUnavailable` or `StoreFull` when the journal has no
        room or the store didn't answer in time: the change may still be kept later then.
        """
        if self.waiting >= JOURNAL_BOUND:
            raise self.trouble or StoreUnavailable("The journal is full.")
        batch = self.append(change)
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(batch.done)
        except TimeoutError:
            raise self.trouble or StoreUnavailable from None
        if any(change is refused for refused in batch.refused):
            raise Malformed("The store can't keep this content.")

    async def drained(self) -> None:
        """Return when nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Keep what comes, until cancelled; what waits then is kept by the next run, if there is one."""
        while True:
            await self._wake.wait()
            while self._waiting:
                await self._keep(self._waiting[0])
                self._settle(self._waiting.popleft())
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

    async def _keep(self, batch: Batch[C]) -> None:
        if not batch.changes:
            batch.number = -1
            return
        if batch.number == 0:
            self._give_number(batch)
        try:
            await self._attempt(batch)
        except ChangeRefused as refusal:
            await self._halve(batch, refusal)

    def _give_number(self, batch: Batch[C]) -> None:
        self._number += 1
        batch.number = self._number
        self._record.append((self._number, len(batch.deliveries)))
        self._recorded += len(batch.deliveries)
        while len(self._record) > 1 and (
            self._recorded - self._record[0][1] >= DELIVERIES_KEPT or len(self._record) > BATCHES_KEPT
        ):
            self._recorded -= self._record.popleft()[1]
        batch.oldest = self._record[0][0]

    async def _attempt(self, batch: Batch[C]) -> None:
        """Commit until the store answers; its waiters have deadlines of their own."""
        pause, longest = BACK_OFF
        while True:
            try:
                await self._keeper.commit(batch)
            except (StoreUnavailable, StoreFull) as trouble:
                self._troubled(trouble)
                await self._clock.sleep(pause)
                pause = min(pause * 2, longest)
            else:
                self.commits += 1
                self._troubled(None)
                self._on_kept(batch.changes)
                return

    async def _halve(self, batch: Batch[C], refusal: ChangeRefused) -> None:
        size = len(batch.changes)
        if size == 1:
            change = batch.changes[0]
            self.refused += 1
            log.error(
                "change refused by the store, dropped", extra={"reason": str(refusal), "change": type(change).__name__}
            )
            self._on_refused(change)
            batch.refused.append(change)
            return
        for part in (batch.part(0, size // 2), batch.part(size // 2, size)):
            await self._keep(part)
            batch.refused += part.refused

    def _settle(self, batch: Batch[C]) -> None:
        self.waiting -= len(batch.changes)
        if not batch.done.done():
            batch.done.set_result(None)
        if self._on_room is not None and self.waiting < JOURNAL_BOUND // 4:
            on_room, self._on_room = self._on_room, None
            on_room()

    def _troubled(self, trouble: StationError | None) -> None:
        if type(trouble) is not type(self.trouble):
            self.trouble = trouble
            self._on_trouble(trouble)
