from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_core.errors import Malformed, StationError, StoreFull, StoreUnavailable
from station_core.journal import BATCH_BOUND, JOURNAL_BOUND, PATIENCE, WEIGHT_BOUND
from tests.unit.core.shelf import Desk, Fate

if TYPE_CHECKING:
    from station_core.journal import Batch, Journal


async def test_a_change_is_kept_told_and_then_its_receipt_resolves() -> None:
    desk = Desk()
    told_by_then: list[str] = []
    async with desk.at_work() as journal:
        receipt = journal.append("a")
        receipt.done.add_done_callback(lambda _: told_by_then.extend(desk.told))
        await journal.drained()
        await settled()

    assert desk.shelf.words == ["a"]
    assert told_by_then == ["a"]


async def test_a_journal_that_never_had_anything_to_keep_is_drained() -> None:
    desk = Desk()

    async with asyncio.timeout(10):
        await desk.journal.drained()


async def test_what_comes_while_a_commit_is_in_flight_makes_one_batch() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        first = journal.append("a")
        await asyncio.sleep(0)
        others = {journal.append(word) for word in "bcd"}
        await journal.drained()

    assert desk.shelf.batches == [["a"], ["b", "c", "d"]]
    assert len(others) == 1
    assert first not in others


async def test_a_batch_takes_only_so_many_changes() -> None:
    desk = Desk()
    for n in range(BATCH_BOUND + 1):
        desk.journal.append(str(n))
    async with desk.at_work() as journal:
        await journal.drained()

    assert [len(batch) for batch in desk.shelf.batches] == [BATCH_BOUND, 1]


async def test_a_message_without_effect_is_settled_after_those_before_it_and_costs_no_commit() -> None:
    desk = Desk()
    order: list[str] = []
    async with desk.at_work() as journal:
        assert not journal.pass_by().done.done()
        await journal.drained()
        assert desk.shelf.batches == []
        journal.append("a").done.add_done_callback(lambda _: order.append("a"))
        await asyncio.sleep(0)
        journal.pass_by().done.add_done_callback(lambda _: order.append("passed"))
        await journal.drained()
        await settled()

    assert order == ["a", "passed"]
    assert journal.commits == 1


async def test_while_the_store_is_away_a_batch_is_tried_again_whole_and_ever_more_rarely() -> None:
    desk = Desk()
    desk.shelf.fates.extend([Fate.AWAY] * 10)
    async with desk.at_work() as journal:
        receipt = journal.append("a")
        await desk.clock.advance(0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 2 + 2 + 2)
        assert not receipt.done.done()
        await desk.clock.advance(2)

    assert receipt.done.done()
    assert desk.shelf.words == ["a"]
    assert [type(trouble) for trouble in desk.troubles] == [StoreUnavailable, type(None)]


async def test_a_batch_whose_answer_was_lost_is_not_kept_twice() -> None:
    desk = Desk()
    desk.shelf.fates.append(Fate.ANSWER_LOST)
    async with desk.at_work() as journal:
        journal.append("a")
        await desk.clock.advance(1)
        await journal.drained()

    assert desk.shelf.words == ["a"]
    assert desk.told == ["a"]


async def test_who_waits_is_told_when_it_is_kept() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        await journal.kept(journal.append("a"))

    assert desk.told == ["a"]


async def test_who_waits_loses_patience_but_the_change_stays() -> None:
    desk = Desk()
    desk.shelf.fates.extend([Fate.AWAY] * 8)
    async with desk.at_work() as journal, asyncio.TaskGroup() as group:
        waiting = group.create_task(_fails(journal, journal.append("a"), StoreUnavailable))
        await desk.clock.advance(PATIENCE)
        await waiting
        await desk.clock.advance(60)
        await journal.drained()

    assert desk.shelf.words == ["a"]


async def test_without_an_answer_from_the_store_who_waits_loses_patience_too() -> None:
    desk = Desk()
    receipt = desk.journal.append("a")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(_fails(desk.journal, receipt, StoreUnavailable))
        await desk.clock.advance(PATIENCE)

    assert not receipt.done.done()


async def test_who_gives_up_takes_nothing_from_those_who_wait_for_the_same() -> None:
    desk = Desk()
    receipts = [desk.journal.append("a"), desk.journal.append("b")]
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        leaving, staying = (group.create_task(desk.journal.kept(receipt)) for receipt in receipts)
        await settled()
        leaving.cancel()
        async with desk.at_work():
            await staying

    assert desk.told == ["a", "b"]


async def test_a_receipt_that_somebody_cancelled_is_no_obstacle() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.append("a").done.cancel()
        await journal.drained()

    assert desk.told == ["a"]


async def test_each_who_waits_gets_an_error_of_their_own() -> None:
    desk = Desk()
    desk.journal.trouble = StoreFull("no room on /dev/mmcblk0")
    errors = []
    for _ in range(2):
        receipt = desk.journal.append("a")
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            errors.append(group.create_task(_fails(desk.journal, receipt, StoreFull)))
            await desk.clock.advance(PATIENCE)

    first, second = (task.result() for task in errors)
    assert first is not second
    assert str(first) == "no room on /dev/mmcblk0"


async def test_a_change_that_can_never_be_kept_stands_alone() -> None:
    desk = Desk("c")
    waiting = [desk.journal.kept(desk.journal.append(word)) for word in "abcde"]
    async with desk.at_work() as journal:
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), Malformed, type(None), type(None)]
    assert desk.shelf.words == desk.told == list("abde")
    assert desk.refused == ["c"]
    assert (journal.refused, journal.waiting) == (1, 0)


async def test_what_comes_while_a_batch_is_halved_keeps_its_place() -> None:
    desk = Desk("a", "d")
    for word in "abcd":
        desk.journal.append(word)
    async with desk.at_work() as journal:
        for word in "efghij":
            await asyncio.sleep(0)
            journal.append(word)
        await journal.drained()

    assert desk.shelf.words == list("bcefghij")
    assert desk.refused == ["a", "d"]


async def test_what_builds_on_a_refused_change_falls_with_it() -> None:
    desk = Desk("lamp:1")
    desk.journal._on_refused = lambda word: desk.journal.drop(lambda later: later.startswith(word[:4]))
    receipts = [desk.journal.append(word) for word in ("lamp:1", "fan:1", "lamp:2")]
    async with desk.at_work() as journal:
        await journal.drained()

    assert desk.shelf.words == ["fan:1"]
    assert receipts[0].refused == ["lamp:1", "lamp:2"]
    assert journal.refused == 2
    assert journal.waiting == 0


async def test_a_run_that_ended_amid_halving_is_taken_up_by_the_next() -> None:
    for steps in range(12):
        desk = Desk("b")
        receipt = desk.journal.append("a")
        for word in "bcd":
            desk.journal.append(word)
        async with desk.at_work():
            for _ in range(steps):
                await asyncio.sleep(0)
        async with desk.at_work() as journal:
            await journal.drained()

        assert desk.shelf.words == desk.told == list("acd")
        assert desk.refused == ["b"]
        assert receipt.done.done()


async def test_edges_stop_at_half_of_the_bound_and_are_called_when_half_of_that_is_free() -> None:
    desk = Desk()
    calls: list[int] = []
    for n in range(JOURNAL_BOUND // 2):
        desk.journal.check_room()
        desk.journal.append(str(n))
    desk.journal.when_roomy(lambda: calls.append(desk.journal.waiting))

    with pytest.raises(StoreUnavailable):
        desk.journal.check_room()

    async with desk.at_work() as journal:
        await journal.drained()
        journal.append("more")
        await journal.drained()

    assert calls == [0]
    journal.check_room()


async def test_a_few_heavy_changes_fill_the_journal_too() -> None:
    desk = Desk()
    for _ in range(8):
        assert not desk.journal.full
        desk.journal.append("a", weight=WEIGHT_BOUND // 16)
    assert desk.journal.full

    async with desk.at_work() as journal:
        await journal.drained()

    assert not journal.full
    assert journal.weight == 0


@pytest.mark.parametrize(("left", "when"), [(WEIGHT_BOUND // 4, 0), (WEIGHT_BOUND // 4 - 1, WEIGHT_BOUND // 4 - 1)])
async def test_edges_are_called_when_half_of_the_weight_that_stopped_them_is_gone(left: int, when: int) -> None:
    desk = Desk()
    calls: list[int] = []
    desk.journal.append("a", weight=WEIGHT_BOUND // 2)
    async with desk.at_work() as journal:
        await asyncio.sleep(0)
        journal.append("b", weight=left)
        journal.when_roomy(lambda: calls.append(journal.weight))
        await journal.drained()

    assert desk.shelf.batches == [["a"], ["b"]]
    assert calls == [when]


async def _fails(journal: Journal[str], receipt: Batch[str], error: type[StationError]) -> StationError:
    with pytest.raises(error) as raised:
        await journal.kept(receipt)
    return raised.value
