from __future__ import annotations

import asyncio
from datetime import timedelta

from station_adapters.memory.clock import NEW_YEAR, MemoryClock, MemoryRandomness


async def test_the_clock_stands_still_until_it_is_told_to_go_on() -> None:
    clock = MemoryClock()

    assert (clock.now(), clock.monotonic()) == (NEW_YEAR, 0.0)
    await clock.advance(90)

    assert (clock.now(), clock.monotonic()) == (NEW_YEAR + timedelta(seconds=90), 90.0)


async def test_who_sleeps_wakes_in_order_and_sees_their_own_hour() -> None:
    clock = MemoryClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("often", 10, 10, 10))
        group.create_task(sleeper("once", 15))
        await clock.advance(30)

    assert woken == [("often", 10), ("once", 15), ("often", 20), ("often", 30)]


async def test_who_gave_up_sleeping_is_not_waited_for() -> None:
    clock = MemoryClock()
    async with asyncio.TaskGroup() as group:
        sleeping = group.create_task(clock.sleep(10))
        await clock.advance(5)
        sleeping.cancel()
        await clock.advance(10)

    assert clock.monotonic() == 15


async def test_no_time_at_all_is_slept_at_once() -> None:
    await MemoryClock().sleep(0)


async def test_the_wall_clock_may_jump_without_any_time_going_by() -> None:
    clock = MemoryClock()

    clock.wall -= timedelta(days=1)

    assert clock.monotonic() == 0
    await clock.advance(1)
    assert clock.now() == NEW_YEAR - timedelta(days=1) + timedelta(seconds=1)


def test_the_same_seed_gives_the_same_ids_and_no_id_twice() -> None:
    first, second = MemoryRandomness(7), MemoryRandomness(7)

    ids = [first.uuid() for _ in range(100)]

    assert ids == [second.uuid() for _ in range(100)]
    assert len(set(ids)) == 100
    assert len({first.token() for _ in range(100)}) == 100
