"""What nobody waits for is kept together with what comes soon; what somebody waits for goes at once."""

from __future__ import annotations

import asyncio

from station_adapters.memory.clock import settled
from station_core.journal import BATCH_BOUND
from station_core.journal.writer import GATHERED_FOR
from tests.unit.core.shelf import Desk


async def test_what_nobody_waits_for_is_kept_together_with_what_comes_in_a_few_turns_of_the_loop() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        for word in "abc":
            journal.append(word, urgent=False)
            await asyncio.sleep(0)
        assert desk.shelf.batches == []
        await settled()

    assert desk.shelf.batches == [["a", "b", "c"]]


async def test_what_somebody_waits_for_takes_along_at_once_what_came_before_it() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.append("a", urgent=False)
        await asyncio.sleep(0)
        journal.append("b")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        journal.append("c")
        await journal.drained()

    assert desk.shelf.batches == [["a", "b"], ["c"]]


async def test_a_receipt_that_is_asked_for_hurries_what_nobody_waited_for() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        receipt = journal.append("a", urgent=False)
        await asyncio.sleep(0)
        assert journal.pass_by() is receipt
        await asyncio.sleep(0)
        journal.append("b")
        await journal.drained()

    assert desk.shelf.batches == [["a"], ["b"]]


async def test_a_batch_that_is_full_waits_for_nothing() -> None:
    desk = Desk()
    for n in range(BATCH_BOUND + 1):
        desk.journal.append(str(n), urgent=False)
    async with desk.at_work():
        await settled(GATHERED_FOR - 1)
        assert [len(batch) for batch in desk.shelf.batches] == [BATCH_BOUND]
