"""In overload a commit waits for a batch that is worth it; at no other time for anything."""

from __future__ import annotations

from station_adapters.memory.clock import settled
from station_core.journal import WEIGHT_BOUND
from station_core.journal.writer import BACK_OFF, GATHERED, LOOK_EACH, LOOKS
from tests.unit.core.shelf import Desk, Fate


async def test_a_commit_waits_until_enough_has_gathered() -> None:
    desk = Desk()
    desk.journal.crowded = True
    desk.journal.append("first")
    async with desk.at_work() as journal:
        for n in range(GATHERED - 2):
            journal.append(str(n))
        await settled()
        before = list(desk.shelf.batches)
        journal.append("last")
        await desk.clock.advance(LOOK_EACH)

    assert before == []
    assert [len(batch) for batch in desk.shelf.batches] == [GATHERED]


async def test_what_goes_on_coming_slowly_is_committed_in_time() -> None:
    desk = Desk()
    desk.journal.crowded = True
    desk.journal.append("first")
    async with desk.at_work() as journal:
        for n in range(100):
            await desk.clock.advance(LOOK_EACH / 5)
            if not journal.commits:
                journal.append(str(n))

    assert [len(batch) for batch in desk.shelf.batches] == [5 * LOOKS]


async def test_what_nothing_follows_on_is_committed_after_one_look() -> None:
    desk = Desk()
    desk.journal.crowded = True
    desk.journal.append("a")
    async with desk.at_work() as journal:
        await settled()
        journal.append("b")
        await desk.clock.advance(LOOK_EACH)
        before = list(desk.shelf.batches)
        await desk.clock.advance(LOOK_EACH)

    assert (before, desk.shelf.batches) == ([], [["a", "b"]])


async def test_deliveries_without_effect_gather_like_changes() -> None:
    desk = Desk()
    desk.journal.crowded = True
    for n in range(GATHERED):
        desk.journal.pass_by((n, n))
    async with desk.at_work():
        await settled()

    assert len(desk.shelf.on_record) == GATHERED


async def test_the_halves_of_a_refused_batch_wait_for_nothing() -> None:
    desk = Desk("b")
    for word in "abcd":
        desk.journal.append(word)
    async with desk.at_work() as journal:
        await settled(1)
        journal.crowded = True
        journal.append("e")
        await settled(300)

    assert desk.shelf.words == list("acd")
    assert desk.refused == ["b"]


async def test_when_the_crowd_is_gone_nothing_waits_for_more() -> None:
    desk = Desk()
    desk.journal.crowded = True
    desk.journal.append("a")
    async with desk.at_work() as journal:
        await settled()
        journal.append("b")
        journal.crowded = False
        await desk.clock.advance(LOOK_EACH)

    assert desk.shelf.batches == [["a", "b"]]


async def test_a_full_journal_is_committed_at_once_for_nothing_more_comes() -> None:
    desk = Desk()
    desk.journal.crowded = True
    desk.journal.append("a", weight=WEIGHT_BOUND // 2)
    async with desk.at_work():
        await settled()

    assert desk.shelf.batches == [["a"]]


async def test_a_batch_that_failed_is_tried_again_without_gathering() -> None:
    desk = Desk()
    desk.shelf.fates.append(Fate.AWAY)
    desk.journal.append("a")
    async with desk.at_work() as journal:
        await settled()
        journal.crowded = True
        await desk.clock.advance(BACK_OFF[0])

    assert desk.shelf.batches == [["a"]]


async def test_a_commit_that_waits_can_be_cancelled_and_the_next_run_keeps_its_batch() -> None:
    desk = Desk()
    desk.journal.crowded = True
    receipt = desk.journal.append("a")
    async with desk.at_work():
        await settled()
    undone = receipt.done.done()
    async with desk.at_work():
        await desk.clock.advance(2 * LOOK_EACH)

    assert (undone, desk.shelf.batches) == (False, [["a"]])
