"""What a journal tells of its store's trouble, and of its end."""

from __future__ import annotations

from station_core.errors import StoreUnavailable
from tests.unit.core.shelf import Desk, Fate


async def test_a_store_that_refuses_the_last_that_waited_is_in_no_trouble_any_more() -> None:
    desk = Desk("bad")
    desk.shelf.fates.append(Fate.AWAY)
    async with desk.at_work() as journal:
        journal.append("bad")
        await desk.clock.advance(1)
        await journal.drained()

    assert desk.refused == ["bad"]
    assert [type(trouble) for trouble in desk.troubles] == [StoreUnavailable, type(None)]
    assert journal.trouble is None


async def test_another_trouble_of_the_same_kind_is_told_in_its_own_words() -> None:
    desk = Desk()
    async with desk.at_work() as journal:
        for words in ("lock lost", "lock lost", "read-only"):
            desk.shelf.trouble = StoreUnavailable(words)
            journal.append("a")
            await desk.clock.advance(2)
        desk.shelf.trouble = None
        await desk.clock.advance(2)
        await journal.drained()

    assert [str(trouble) for trouble in desk.troubles] == ["lock lost", "read-only", "None"]
