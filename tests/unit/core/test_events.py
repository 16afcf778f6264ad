from __future__ import annotations

import asyncio
from dataclasses import dataclass

from station_adapters.memory.clock import NEW_YEAR, settled
from station_core.events import Event, EventBus, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Rang(Event):
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Knocked(Event):
    pass


def rings(*times: int) -> list[Event]:
    return [Rang(times=n, timestamp=NEW_YEAR) for n in times]


async def heard(subscription: Subscription[Rang]) -> list[int]:
    return [event.times async for event in subscription]


async def test_a_subscriber_gets_its_kinds_in_order() -> None:
    bus = EventBus()
    subscription = bus.subscribe(Rang, bound=10)

    bus.publish([*rings(1), Knocked(timestamp=NEW_YEAR), *rings(2)])
    bus.publish(rings(3))

    assert [event.times for event in subscription.take()] == [1, 2, 3]


async def test_a_subscriber_to_all_events_gets_all() -> None:
    bus = EventBus()
    subscription = bus.subscribe(Event, bound=10)

    bus.publish([*rings(1), Knocked(timestamp=NEW_YEAR)])

    assert len(subscription.take()) == 2


async def test_nothing_that_was_published_before_is_told() -> None:
    bus = EventBus()
    bus.publish(rings(1))

    assert bus.subscribe(Rang, bound=10).take() == []


async def test_a_slow_subscriber_loses_the_oldest_and_the_loss_is_counted() -> None:
    bus = EventBus()
    slow, quick = bus.subscribe(Rang, bound=2), bus.subscribe(Rang, bound=10)

    bus.publish(rings(1, 2, 3))
    bus.publish(rings(4))

    assert [event.times for event in slow.take()] == [3, 4]
    assert slow.dropped == 2
    assert [event.times for event in quick.take()] == [1, 2, 3, 4]
    assert quick.dropped == 0


async def test_iterating_gives_one_event_after_the_other_until_closed() -> None:
    bus = EventBus()
    subscription = bus.subscribe(Rang, bound=10)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        listening = group.create_task(heard(subscription))
        bus.publish(rings(1, 2))
        await settled()
        bus.publish(rings(3))
        subscription.close()

    assert listening.result() == [1, 2, 3]


async def test_what_was_published_together_comes_as_one_batch() -> None:
    bus = EventBus()
    batches: list[list[int]] = []
    with bus.subscribe(Rang, bound=10) as subscription:
        bus.publish(rings(1, 2))
        async with asyncio.timeout(5):
            async for batch in subscription.batches():
                batches.append([event.times for event in batch])
                if batch[-1].times == 3:
                    break
                bus.publish([Knocked(timestamp=NEW_YEAR)])
                bus.publish(rings(3))

    assert batches == [[1, 2], [3]]


async def test_an_iteration_goes_on_waiting_when_what_waited_was_taken_otherwise() -> None:
    bus = EventBus()
    subscription = bus.subscribe(Rang, bound=10)
    bus.publish(rings(1))
    subscription.take()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        listening = group.create_task(heard(subscription))
        await settled()
        bus.publish(rings(2))
        await settled()
        subscription.close()

    assert listening.result() == [2]


async def test_who_has_left_hears_nothing_more() -> None:
    bus = EventBus()
    subscription = bus.subscribe(Rang, bound=10)
    subscription.close()
    subscription.close()

    bus.publish(rings(1))

    assert subscription.take() == []
