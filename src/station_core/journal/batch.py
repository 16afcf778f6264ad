from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from station_core.journal.deliveries import Delivery

C = TypeVar("C")


class Batch(Generic[C]):
    """
    Some changes that are kept as one, and the deliveries that brought them; the receipt of every change in it.

    `done` resolves once all of them are kept or `refused`. Many wait for the same: add a callback, or wait by
    `Journal.kept`, for cancelling it would cancel it for all. `number` is the store's means against keeping a batch
    twice when the answer to a commit was lost; `oldest` is the oldest batch whose deliveries are still of use, and
    with `forgets` the batch is kept also when it's empty: for its `oldest` alone.
    """

    __slots__ = ("changes", "deliveries", "done", "forgets", "number", "oldest", "refused", "weight")

    def __init__(self) -> None:
        self.number = 0
        self.oldest = 0
        self.changes: list[C] = []
        self.deliveries: list[Delivery] = []
        self.refused: list[C] = []
        self.forgets = False
        self.weight = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def part(self, start: int, end: int) -> Batch[C]:
        """
        Some of its changes as a batch of their own; the last part is what the receipt waits for.

        The deliveries, and what it forgets, go with the last too: on record before all changes are, a crash in between
        would lose some.
        """
        part = type(self)()
        part.changes = self.changes[start:end]
        part.refused = self.refused
        if end == len(self.changes):
            part.deliveries, part.weight, part.done = self.deliveries, self.weight, self.done
            part.forgets = self.forgets
        return part


class Keeper(Protocol[C]):
    """The durable end of the journal."""

    async def commit(self, batch: Batch[C]) -> None:
        """
        Keep the batch as one: all its changes in their order, its deliveries, its number; drop those before `oldest`.

        It may consist of deliveries alone, or be empty. A batch whose number is on record is kept already: return,
        change nothing.
        Raise `ChangeRefused` when the content of a change can never be kept, `StoreUnavailable` or `StoreFull` when it
        can't be now; nothing of the batch is kept then.
        A cancelled commit is kept whole or not at all.
        """
        ...
