"""How much may wait, and what gives way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import MemoryClock
from station_adapters.memory.outbox import MemoryOutbox
from station_core.cloud.letters import Rank, deletion, invitation, state_letter
from station_core.cloud.nowhere import NoOutbox
from station_core.cloud.outbox import CUT_EVERY, Bounds, Held, OutboxBounds, falling, first_to_fall
from station_core.errors import StoreUnavailable
from tests.unit.cloud.running import running

if TYPE_CHECKING:
    from station_core.cloud.letters import Letter

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEW = Bounds(letters=3, bytes=1_000)


@pytest.mark.parametrize(
    ("held", "fall"),
    [
        ({}, None),
        ({Rank.IDENTITY: Held(letters=3, bytes=1_000)}, None),
        ({Rank.IDENTITY: Held(letters=4, bytes=10)}, (Rank.IDENTITY, Held(letters=1, bytes=0))),
        (
            {Rank.DEED: Held(letters=1, bytes=1_500), Rank.ALARM: Held(letters=1, bytes=10)},
            (Rank.ALARM, Held(letters=0, bytes=510)),
        ),
        (
            {Rank.TELEMETRY: Held(letters=0, bytes=0), Rank.ALARM: Held(letters=9, bytes=10)},
            (Rank.ALARM, Held(letters=6, bytes=0)),
        ),
    ],
)
def test_the_lowest_rank_that_has_any_falls_first(held: dict[Rank, Held], fall: tuple[Rank, Held] | None) -> None:
    assert first_to_fall(held, FEW) == fall


@pytest.mark.parametrize(
    ("least", "fallen"),
    [
        (Held(letters=0, bytes=1), [1]),
        (Held(letters=2, bytes=0), [1, 2]),
        (Held(letters=1, bytes=25), [1, 2, 5]),
        (Held(letters=9, bytes=0), [1, 2, 5]),
    ],
)
def test_the_oldest_fall_until_it_is_enough(least: Held, fallen: list[int]) -> None:
    assert falling([(1, 10), (2, 10), (5, 10)], least) == fallen


def claimed_outbox(*letters: Letter) -> MemoryOutbox:
    outbox = MemoryOutbox()
    outbox.begin()
    for n, letter in enumerate(letters):
        outbox.post(letter, f"id {n}")
    return outbox


async def test_what_is_too_much_goes_within_seconds_and_is_counted() -> None:
    clock = MemoryClock()
    invited = invitation(email="a@b.c", role="member", invited_by="Ada", at=AT)
    outbox = claimed_outbox(*[deletion("d", "Lamp", AT)] * 5, invited, *[state_letter("d", {}, AT)] * 3)
    bounds = OutboxBounds(outbox=outbox, clock=clock, bounds=FEW)
    async with running(bounds.run()):
        await clock.advance(CUT_EVERY)
    left = await outbox.waiting(after=(-1, ""), limit=10)

    assert bounds.dropped == {Rank.TELEMETRY: 3, Rank.DEED: 3}
    assert [one.letter.method for one in left] == ["device.deleted", "device.deleted", "member.invited"]


async def test_while_the_store_is_away_it_looks_again_later() -> None:
    clock = MemoryClock()
    outbox = claimed_outbox(*[deletion("d", "Lamp", AT)] * 5)
    bounds = OutboxBounds(outbox=outbox, clock=clock, bounds=FEW)
    async with running(bounds.run()):
        outbox.trouble = StoreUnavailable()
        await clock.advance(CUT_EVERY)
        outbox.trouble = None
        await clock.advance(CUT_EVERY)

    assert bounds.dropped == {Rank.DEED: 2}


async def test_where_nothing_waits_nothing_is_dropped() -> None:
    clock = MemoryClock()
    bounds = OutboxBounds(outbox=NoOutbox(), clock=clock, bounds=FEW)
    async with running(bounds.run()):
        await clock.advance(CUT_EVERY)

    assert not bounds.dropped
