from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from station_adapters.http.subscriber import FRAME_BOUND, QUEUE_BOUND, News, Subscriber


def news(*numbers: int, size: int = 0) -> News:
    return News([json.dumps({"seq": n, "ballast": "x" * size}).encode() for n in numbers])


def numbers(frame: str) -> list[int]:
    told: Any = json.loads(frame)
    return [message["seq"] for message in (told if isinstance(told, list) else [told])]


async def following(*, batch: bool = False) -> Subscriber:
    """A subscriber that has had its snapshot."""
    subscriber = Subscriber(lambda: "snapshot", batch=batch)
    assert await subscriber.next() == "snapshot"
    return subscriber


async def nothing(subscriber: Subscriber) -> bool:
    """Whether nothing waits."""
    try:
        async with asyncio.timeout(0.01):
            await subscriber.next()
    except TimeoutError:
        return True
    return False


async def test_a_subscriber_begins_with_a_snapshot_and_nothing_from_before_it() -> None:
    subscriber = Subscriber(lambda: "snapshot", batch=False)
    subscriber.push(news(1, 2))

    assert await subscriber.next() == "snapshot"
    assert await nothing(subscriber)


async def test_each_message_is_a_frame_of_its_own_for_who_asked_for_nothing_else() -> None:
    subscriber = await following()
    subscriber.push(news(1, 2))
    subscriber.push(news(3))

    assert [numbers(await subscriber.next()) for _ in range(3)] == [[1], [2], [3]]
    assert await nothing(subscriber)


async def test_what_is_told_at_once_is_one_frame_for_who_asked_for_batches() -> None:
    subscriber = await following(batch=True)
    subscriber.push(news(1, 2))
    subscriber.push(news(3))

    assert [numbers(await subscriber.next()) for _ in range(2)] == [[1, 2], [3]]


async def test_a_frame_does_not_grow_beyond_what_clients_take() -> None:
    subscriber = await following(batch=True)
    subscriber.push(news(*range(30), size=FRAME_BOUND // 10))

    frames = [await subscriber.next() for _ in range(4)]
    assert [n for frame in frames for n in numbers(frame)] == list(range(30))
    assert max(len(frame) for frame in frames) <= FRAME_BOUND + 100


async def test_news_are_told_to_all_whatever_each_has_taken_already() -> None:
    told = news(1, 2, 3)
    one, batched, late = await following(), await following(batch=True), await following()
    for subscriber in (one, batched):
        subscriber.push(told)
    taken = [numbers(await one.next())]
    late.push(told)

    assert taken + [numbers(await one.next()) for _ in range(2)] == [[1], [2], [3]]
    assert numbers(await batched.next()) == [1, 2, 3]
    assert [numbers(await late.next()) for _ in range(3)] == [[1], [2], [3]]


async def test_what_is_no_ascii_is_told_as_it_is() -> None:
    plain, batched = await following(), await following(batch=True)
    for subscriber in (plain, batched):
        subscriber.push(News(['"Küche"'.encode(), '"灯"'.encode()]))

    assert [await plain.next(), await plain.next()] == ['"Küche"', '"灯"']
    assert await batched.next() == '["Küche","灯"]'


async def test_no_news_are_none() -> None:
    subscriber = await following(batch=True)
    subscriber.push(news())

    assert await nothing(subscriber)


async def test_who_takes_what_waits_has_room_for_as_much_again() -> None:
    subscriber = await following()
    size = QUEUE_BOUND // 40
    for n in range(100):
        subscriber.push(news(2 * n, 2 * n + 1, size=size - 40))
        if n >= 18:
            assert [numbers(await subscriber.next()) for _ in range(2)] == [[2 * n - 36], [2 * n - 35]]


@pytest.mark.parametrize("batch", [True, False])
async def test_who_is_too_slow_gets_a_snapshot_in_place_of_all_that_waited(*, batch: bool) -> None:
    subscriber = await following(batch=batch)
    size = 100_000
    for n in range(QUEUE_BOUND // size + 2):
        subscriber.push(news(n, size=size))

    assert await subscriber.next() == "snapshot"
    assert await nothing(subscriber)


async def test_at_least_four_thousand_messages_wait() -> None:
    subscriber = await following()
    for n in range(4_000):
        subscriber.push(news(n, size=150))

    assert [numbers(await subscriber.next()) for _ in range(4_000)] == [[n] for n in range(4_000)]


async def test_one_commit_is_never_too_much_for_who_keeps_up() -> None:
    subscriber = await following(batch=True)
    subscriber.push(news(1, size=QUEUE_BOUND + 1))

    assert numbers(await subscriber.next()) == [1]


async def test_after_the_snapshot_it_follows_again() -> None:
    subscriber = await following()
    subscriber.push(news(1))
    subscriber.restart()
    subscriber.push(news(2))
    await subscriber.next()

    subscriber.push(news(3))

    assert numbers(await subscriber.next()) == [3]
