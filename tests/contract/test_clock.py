from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import MemoryClock, MemoryRandomness
from station_adapters.system.clock import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_core.clock import Clock, Randomness

SHORT = 0.01  # seconds
BOUND = 5.0


@dataclass(frozen=True)
class Rig:
    clock: Clock
    pass_time: Callable[[float], Awaitable[None]]


def memory() -> Rig:
    clock = MemoryClock()
    return Rig(clock, clock.advance)


def system() -> Rig:
    return Rig(SystemClock(), asyncio.sleep)


@pytest.fixture(params=[memory, system], ids=lambda rig: rig.__name__)
def rig(request: pytest.FixtureRequest) -> Rig:
    made: Rig = request.param()
    return made


@pytest.fixture(params=[MemoryRandomness, SystemRandomness], ids=lambda adapter: adapter.__name__)
def randomness(request: pytest.FixtureRequest) -> Randomness:
    adapter: Randomness = request.param()
    return adapter


def test_now_is_aware_and_utc(rig: Rig) -> None:
    now = rig.clock.now()

    assert now.tzinfo is UTC
    assert now.utcoffset() == timedelta(0)


async def test_monotonic_time_never_goes_back(rig: Rig) -> None:
    readings = [rig.clock.monotonic()]
    for _ in range(5):
        await rig.pass_time(SHORT / 5)
        readings += [rig.clock.monotonic(), rig.clock.monotonic()]

    assert readings == sorted(readings)
    assert readings[-1] > readings[0]


async def test_sleep_returns_when_its_time_has_gone_by(rig: Rig) -> None:
    begun = rig.clock.monotonic()
    sleeper = asyncio.create_task(rig.clock.sleep(SHORT))
    await asyncio.sleep(0)
    awake_at_once = sleeper.done()
    await rig.pass_time(SHORT)
    await asyncio.wait_for(sleeper, BOUND)

    assert not awake_at_once
    assert rig.clock.monotonic() - begun >= SHORT


async def test_who_sleeps_shorter_wakes_first(rig: Rig) -> None:
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await rig.clock.sleep(seconds)
        woken.append(name)

    sleepers = [asyncio.create_task(sleep("long", 5 * SHORT)), asyncio.create_task(sleep("short", SHORT))]
    await rig.pass_time(5 * SHORT)
    await asyncio.wait_for(asyncio.gather(*sleepers), BOUND)

    assert woken == ["short", "long"]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_no_time_to_sleep_lets_others_run_and_returns(rig: Rig, seconds: float) -> None:
    turn = asyncio.Event()
    asyncio.get_running_loop().call_soon(turn.set)
    await asyncio.wait_for(rig.clock.sleep(seconds), BOUND)

    assert turn.is_set()


async def test_a_sleeper_can_be_woken_by_its_end_alone(rig: Rig) -> None:
    sleeper = asyncio.create_task(rig.clock.sleep(3600))
    await asyncio.sleep(0)
    sleeper.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(sleeper, BOUND)


def test_ids_are_canonical_random_uuids_and_all_different(randomness: Randomness) -> None:
    ids = [randomness.uuid() for _ in range(500)]

    assert len(set(ids)) == 500
    for one in ids:
        parsed = uuid.UUID(one)
        assert str(parsed) == one
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122


def test_tokens_are_url_safe_hold_256_bits_and_are_all_different(randomness: Randomness) -> None:
    tokens = [randomness.token() for _ in range(500)]

    assert len(set(tokens)) == 500
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,128}", token) for token in tokens)
