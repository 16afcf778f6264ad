from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from station_adapters.memory.clock import MemoryClock, MemoryRandomness
from station_adapters.memory.devices import MemoryDeviceStore
from station_core.devices.activity import KEPT_FOR
from station_core.errors import StoreUnavailable
from station_core.forgetting import BATCH, CHECKED_EVERY, EVEN_FOR, Forgetting, Perishable
from tests.contract.told import batch, device, tells


class Attic:
    """A feed that somebody clears out."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.store = MemoryDeviceStore(MemoryRandomness())
        activities = Perishable(
            name="activities",
            kept_for=KEPT_FOR,
            forget=self._forget,
        )
        self.forgetting = Forgetting(perishables=[activities], clock=self.clock)
        self._batches = 0
        self.asked = 0

    async def told(self, count: int = 1) -> None:
        """So many things happen now."""
        self._batches += 1
        change = tells(device(), {})
        event = replace(change.events[0], timestamp=self.clock.now())
        await self.store.commit(batch(self._batches, replace(change, events=[event] * count)))

    async def checked(self, hours: float) -> None:
        """Time goes by, and is looked at."""
        for _ in range(int(hours * 3600 / CHECKED_EVERY)):
            self.clock.leap(CHECKED_EVERY)
            await self.forgetting.forget()

    async def _forget(self, before: datetime, limit: int) -> int:
        self.asked += 1
        return await self.store.forget_activities(before=before, limit=limit)

    async def lines(self) -> int:
        return len((await self.store.activities(limit=5_000)).items)


@pytest.fixture
def attic() -> Attic:
    return Attic()


async def test_an_activity_is_forgotten_after_thirty_days_and_not_before(attic: Attic) -> None:
    await attic.told()
    attic.clock.leap(KEPT_FOR.total_seconds() - 3 * EVEN_FOR)
    await attic.checked(2)
    before = await attic.lines()
    await attic.told()
    await attic.checked(2)

    assert (before, await attic.lines()) == (1, 1)


async def test_after_a_start_nothing_is_forgotten_for_an_hour(attic: Attic) -> None:
    await attic.told()
    attic.clock.leap(2 * KEPT_FOR.total_seconds())
    await attic.forgetting.forget()
    await attic.checked(0.8)
    before = await attic.lines()
    await attic.checked(0.4)

    assert (before, await attic.lines()) == (1, 0)


async def test_a_clock_that_jumps_ahead_has_an_hour_to_come_back(attic: Attic) -> None:
    await attic.told()
    await attic.checked(2)
    attic.clock.wall += timedelta(days=3_000)
    await attic.checked(0.9)
    attic.clock.wall -= timedelta(days=3_000)
    await attic.checked(2)

    assert await attic.lines() == 1


@pytest.mark.parametrize("year", [1970, 2025, 2046, 2099])
async def test_while_the_clock_shows_what_cant_be_nothing_is_forgotten(attic: Attic, year: int) -> None:
    await attic.told()
    attic.clock.wall = datetime(year, 1, 1, tzinfo=UTC)
    await attic.checked(3)

    assert (attic.asked, await attic.lines()) == (0, 1)


async def test_a_jump_while_much_is_forgotten_dooms_nothing_more() -> None:
    clock, asked = MemoryClock(), list[datetime]()

    async def forget(before: datetime, limit: int) -> int:
        asked.append(before)
        clock.wall = datetime(2099, 1, 1, tzinfo=UTC)
        return 0

    perishables = [Perishable(name=name, kept_for=KEPT_FOR, forget=forget) for name in ("activities", "deeds")]
    forgetting = Forgetting(perishables=perishables, clock=clock)
    await forgetting.forget()
    clock.leap(EVEN_FOR)
    right = clock.wall
    await forgetting.forget()

    assert asked == [right - KEPT_FOR] * 2


async def test_many_are_forgotten_in_small_batches_and_what_the_store_cant_goes_later(attic: Attic) -> None:
    await attic.told(2 * BATCH + 1)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(attic.forgetting.run())
        await attic.clock.advance(EVEN_FOR)
        attic.clock.wall += 2 * KEPT_FOR
        attic.store.trouble = StoreUnavailable()
        await attic.clock.advance(2 * EVEN_FOR)
        attic.store.trouble = None
        stayed = await attic.lines()
        await attic.clock.advance(CHECKED_EVERY)
        first = await attic.lines()
        await attic.clock.advance(CHECKED_EVERY)
        running.cancel()

    assert (stayed, await attic.lines()) == (2 * BATCH + 1, 0)
    assert first < stayed
