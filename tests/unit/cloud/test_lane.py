from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from station_adapters.cloud import frames
from station_adapters.cloud.lane import Lane
from station_adapters.memory.clock import MemoryClock, MemoryRandomness, settled
from station_adapters.memory.cloud import MemoryCloudStore
from station_core.cloud.claim import Claim
from station_core.errors import Malformed, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def renamed(name: str) -> frames.StationRenamed:
    return frames.StationRenamed(name=name)


class Scene:
    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.claim = Claim(
            store=MemoryCloudStore(), clock=self.clock, randomness=MemoryRandomness(), station_id="10000000"
        )
        self.lane = Lane(obey=self.obey, claim=self.claim, clock=self.clock)
        self.obeyed: list[frames.Order] = []
        self.trouble: Exception | None = None

    async def obey(self, order: frames.Order) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.obeyed.append(order)

    async def put(self, *names: str) -> None:
        for name in names:
            await self.lane.put(renamed(name), by=self.claim.standing)
        await settled()


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.claim.load()
    async with asyncio.TaskGroup() as group:
        working = group.create_task(scene.lane.run())
        yield scene
        working.cancel()


async def test_messages_are_obeyed_in_their_order() -> None:
    async with scene() as s:
        await s.put("a", "b", "c")

    assert s.obeyed == [renamed("a"), renamed("b"), renamed("c")]


async def test_a_message_waits_for_the_store_and_the_others_for_it() -> None:
    async with scene() as s:
        s.trouble = StoreUnavailable()
        await s.put("a", "b")
        await s.clock.advance(3600)
        assert s.obeyed == []
        s.trouble = None
        await s.clock.advance(30)

        assert s.obeyed == [renamed("a"), renamed("b")]


@pytest.mark.parametrize(("trouble", "counted"), [(Malformed(), "malformed"), (ZeroDivisionError(), "failed")])
async def test_a_message_that_can_not_be_obeyed_is_dropped_and_counted(trouble: Exception, counted: str) -> None:
    async with scene() as s:
        s.trouble = trouble
        await s.put("a")
        s.trouble = None
        await s.put("b")

    assert s.obeyed == [renamed("b")]
    assert s.lane.counts == {counted: 1, "obeyed": 1}


async def test_a_cloud_that_the_station_was_unclaimed_from_has_nothing_to_say() -> None:
    async with scene() as s:
        await s.claim.claimed("st_1", by=s.claim.standing)
        s.trouble = StoreUnavailable()
        await s.put("a", "b")
        await s.claim.unclaim()
        s.trouble = None
        await s.clock.advance(60)

    assert s.obeyed == []
