"""How much may wait, and what gives way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.home import MemoryPorts
from station_core.cloud.channels import EventChannel
from station_core.cloud.letters import FRONT, Rank, deletion, invitation, state_letter
from station_core.cloud.nowhere import NoOutbox
from station_core.cloud.outbox import LOOK_EVERY, Bounds, Held, OutboxBounds, falling, first_to_fall
from station_core.cloud.status import CloudBoard
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


async def bounded(ports: MemoryPorts) -> tuple[OutboxBounds, CloudBoard]:
    """Those of a home whose station was claimed."""
    home = ports.home()
    await home.load()
    await home.claim.claimed("token", by=home.claim.standing)
    return OutboxBounds(outbox=ports.outbox, board=home.cloud, clock=ports.clock, bounds=FEW), home.cloud


def fill(ports: MemoryPorts, *letters: Letter) -> None:
    for n, letter in enumerate(letters):
        ports.outbox.post(letter, f"id {n}")


async def test_what_is_too_much_goes_within_seconds_and_is_counted() -> None:
    ports = MemoryPorts()
    bounds, _ = await bounded(ports)
    async with running(bounds.run()):
        invited = invitation(email="a@b.c", role="member", invited_by="Ada", at=AT)
        fill(ports, *[deletion("d", "Lamp", AT)] * 5, invited, *[state_letter("d", {}, AT)] * 3)
        await ports.clock.advance(LOOK_EVERY)
    left = await ports.outbox.waiting(after=FRONT, limit=10)

    assert bounds.dropped == {Rank.TELEMETRY: 3, Rank.DEED: 3}
    assert [one.letter.method for one in left] == ["device.deleted", "device.deleted", "member.invited"]


async def test_the_board_is_told_what_waits_and_what_goes_up() -> None:
    ports = MemoryPorts()
    bounds, board = await bounded(ports)
    fill(ports, deletion("d", "Lamp", AT))
    async with running(bounds.run()):
        first = board.status
        await ports.outbox.delivered(await ports.outbox.waiting(after=FRONT, limit=10))
        await ports.outbox.activate(frozenset({EventChannel.STATE}))
        at_once = board.status.active_channels
        await ports.clock.advance(LOOK_EVERY)

    assert at_once == ("state",)
    assert (first.oldest_unsent, first.active_channels) == (AT, tuple(sorted(EventChannel)))
    assert board.status.oldest_unsent is None


async def test_while_the_store_is_away_it_looks_again_later() -> None:
    ports = MemoryPorts()
    bounds, _ = await bounded(ports)
    fill(ports, *[deletion("d", "Lamp", AT)] * 5)
    ports.outbox.trouble = StoreUnavailable()
    async with running(bounds.run()):
        ports.outbox.trouble = None
        before = bounds.dropped.total()
        await ports.clock.advance(LOOK_EVERY)

    assert before == 0
    assert bounds.dropped == {Rank.DEED: 2}


async def test_where_there_is_no_cloud_nothing_is_dropped() -> None:
    ports = MemoryPorts()
    home = ports.home()
    await home.load()
    board = CloudBoard(claim=home.claim, outbox=NoOutbox(), clock=ports.clock)
    bounds = OutboxBounds(outbox=NoOutbox(), board=board, clock=ports.clock)
    async with running(bounds.run()):
        await ports.clock.advance(LOOK_EVERY)

    assert not bounds.dropped
    assert board.status.active_channels == ()
