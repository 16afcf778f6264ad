from __future__ import annotations

import asyncio

from station_core.journal import DELIVERIES_KEPT
from station_core.journal.deliveries import SPENT
from tests.unit.core.shelf import Desk, Fate


async def test_a_delivery_is_known_from_the_moment_it_is_taken_in() -> None:
    desk = Desk()

    desk.journal.append("a", (1, 7))

    assert desk.journal.delivered((1, 7))
    assert not desk.journal.delivered((1, 8))
    assert not desk.journal.delivered((2, 7))


async def test_an_id_that_is_used_anew_stands_for_its_newest_message() -> None:
    desk = Desk()

    desk.journal.append("a", (1, 7))
    desk.journal.append("b", (1, 8))

    assert not desk.journal.delivered((1, 7))
    assert desk.journal.delivered((1, 8))


async def test_deliveries_are_on_record_with_the_changes_they_brought() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.append("a", (1, 7))
        journal.also_delivered((2, 8))
        journal.append("b")
        await journal.drained()

    assert desk.shelf.on_record == [(1, 7), (2, 8)]


async def test_what_was_on_record_before_a_restart_stays_there_after_it() -> None:
    before = Desk()
    async with before.at_work() as journal:
        journal.append("a", (1, 7))
        await journal.drained()
    after = Desk(shelf=before.shelf)
    after.journal.resume(before.shelf.last_number, before.shelf.deliveries)
    async with after.at_work() as journal:
        journal.append("b", (2, 8))
        await journal.drained()

    assert after.journal.delivered((1, 7))
    assert before.shelf.on_record == [(1, 7), (2, 8)]


async def test_a_house_that_starts_each_night_keeps_no_more_on_record_than_one_that_never_does() -> None:
    a_day = DELIVERIES_KEPT // 4
    desk = Desk()
    for day in range(7):
        desk = Desk(shelf=desk.shelf)
        desk.journal.resume(desk.shelf.last_number, desk.shelf.deliveries)
        async with desk.at_work() as journal:
            for packet_id in range(day * a_day, (day + 1) * a_day):
                journal.append("", (packet_id, 7))
            await journal.drained()

    assert desk.shelf.on_record == [(packet_id, 7) for packet_id in range(3 * a_day, 7 * a_day)]
    assert not desk.journal.delivered((3 * a_day - 1, 7))
    assert desk.journal.delivered((3 * a_day, 7))


async def test_changes_without_deliveries_push_none_from_the_record() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.append("a", (1, 7))
        await journal.drained()
        for _ in range(2_000):
            journal.append("")
            await journal.drained()

    assert desk.shelf.on_record == [(1, 7)]


async def test_a_session_begun_anew_forgets_all_that_is_on_record_or_waits() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.append("a", (1, 7))
        await journal.drained()
        journal.append("b", (2, 7))
        await asyncio.sleep(0)
        journal.append("c", (3, 7))
        journal.forget_deliveries()
        assert not any(journal.delivered((packet_id, 7)) for packet_id in (1, 2, 3))
        await journal.drained()
        journal.append("d", (1, 9))
        await journal.drained()

    assert desk.shelf.words == list("abcd")
    assert desk.shelf.on_record == [(1, 9)]


async def test_the_store_forgets_a_session_that_is_over_though_nothing_follows() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.append("a", (1, 7))
        await journal.drained()
        journal.forget_deliveries()
        await journal.drained()

    assert desk.shelf.on_record == []
    assert journal.commits == 2


async def test_the_store_forgets_a_session_that_is_over_though_what_followed_is_refused() -> None:
    desk = Desk("bad", "worse")
    async with desk.at_work() as journal:
        journal.append("a", (1, 7))
        await journal.drained()
        journal.append("bad")
        journal.append("worse")
        journal.forget_deliveries()
        await journal.drained()

    assert desk.refused == ["bad", "worse"]
    assert desk.shelf.on_record == []


async def test_a_session_begun_anew_with_nothing_on_record_costs_no_commit() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.forget_deliveries()
        await journal.drained()

    assert journal.commits == 0


async def test_a_message_without_effect_is_on_record_too() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.pass_by((1, 7))
        await journal.drained()

    assert journal.delivered((1, 7))
    assert desk.shelf.on_record == [(1, 7)]


async def test_after_a_restart_only_what_the_store_has_on_record_was_delivered() -> None:
    desk = Desk()
    desk.journal.append("a", (1, 7))

    desk.journal.resume(3, {2: [(2, 8)]})

    assert not desk.journal.delivered((1, 7))
    assert desk.journal.delivered((2, 8))


async def test_what_a_batch_with_a_refused_change_brought_is_on_record_too() -> None:
    desk = Desk("c")
    for packet_id, word in enumerate("abc", 1):
        desk.journal.append(word, (packet_id, 7))
    async with desk.at_work() as journal:
        await journal.drained()

    assert desk.shelf.words == ["a", "b"]
    assert desk.shelf.on_record == [(1, 7), (2, 7), (3, 7)]
    assert desk.told == ["a", "b"]


async def test_what_a_batch_with_a_refused_change_brought_leaves_the_record_in_its_turn() -> None:
    desk = Desk("b")
    desk.journal.append("a", (1, 7))
    desk.journal.append("b", (2, 7))
    async with desk.at_work() as journal:
        await journal.drained()
        for packet_id in range(3, DELIVERIES_KEPT + 3):
            journal.append("", (packet_id, 7))
        await journal.drained()

    assert not journal.delivered((1, 7))
    assert len(desk.shelf.on_record) == DELIVERIES_KEPT
    assert journal.delivered((3, 7))


async def test_a_refused_change_without_deliveries_leaves_nothing_to_keep() -> None:
    desk = Desk("a")
    desk.journal.append("a")
    async with desk.at_work() as journal:
        await journal.drained()

    assert desk.shelf.batches == []


async def test_the_oldest_deliveries_leave_memory_and_store_together() -> None:
    desk = Desk()
    half = DELIVERIES_KEPT // 2
    async with desk.at_work() as journal:
        for start in range(0, 4 * half, half):
            for packet_id in range(start, start + half):
                journal.append("", (packet_id, 7))
            await journal.drained()

    assert desk.shelf.on_record == [(packet_id, 7) for packet_id in range(2 * half, 4 * half)]
    assert not journal.delivered((0, 7))
    assert not journal.delivered((2 * half - 1, 7))
    assert journal.delivered((2 * half, 7))
    assert len(journal._deliveries._ids) <= DELIVERIES_KEPT + SPENT


async def test_an_id_that_came_again_stays_when_its_older_message_leaves_the_record() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        journal.append("a", (1, 7))
        await journal.drained()
        for packet_id in range(2, DELIVERIES_KEPT):
            journal.append("", (packet_id, 7))
        journal.append("a", (1, 7))
        await journal.drained()
        journal.append("", (DELIVERIES_KEPT, 7))
        await journal.drained()

    assert desk.shelf.on_record.count((1, 7)) == 1
    assert journal.delivered((1, 7))


async def test_a_lost_answer_puts_nothing_on_record_twice() -> None:
    desk = Desk()
    desk.shelf.fates.append(Fate.ANSWER_LOST)
    desk.journal.append("a", (1, 7))
    async with desk.at_work() as journal:
        await desk.clock.advance(1)
        await journal.drained()

    assert desk.shelf.on_record == [(1, 7)]


async def test_an_id_stays_as_long_as_one_of_its_messages_is_on_record() -> None:
    desk = Desk()
    known = []
    async with desk.at_work() as journal:
        for _ in range(3):
            journal.append("", (1, 7))
            await journal.drained()
        for packet_id in range(2, DELIVERIES_KEPT + 2):
            journal.append("", (packet_id, 7))
            if packet_id >= DELIVERIES_KEPT - 1:
                await journal.drained()
                known.append(journal.delivered((1, 7)))

    assert known == [True, True, False]
