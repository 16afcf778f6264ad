"""A wall clock that jumps: only labels follow it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import MemoryClock
from station_adapters.memory.home import MemoryPorts
from station_core.audit.model import SYSTEM
from station_core.clock import OUTLIVED, RELEASED, SteadyTime
from station_core.devices.model import Introduction, Status
from station_core.errors import StoreUnavailable, Unauthenticated
from station_core.identity.access import ACCESS_FOR

if TYPE_CHECKING:
    from station_core.home import Home

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PRESENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
AHEAD = datetime(2099, 5, 5, tzinfo=UTC)
JUMPS = {
    "the network says it's 56 years later": (EPOCH, PRESENT),
    "an hour back": (PRESENT, PRESENT - timedelta(hours=1)),
    "a day on": (PRESENT, PRESENT + timedelta(days=1)),
    "back to 1970": (PRESENT, EPOCH),
    "the network says it's 72 years earlier": (AHEAD, PRESENT),
}


@pytest.fixture(params=list(JUMPS.values()), ids=list(JUMPS))
def jump(request: pytest.FixtureRequest) -> tuple[datetime, datetime]:
    found: tuple[datetime, datetime] = request.param
    return found


def ports_at(start: datetime) -> MemoryPorts:
    ports = MemoryPorts()
    ports.clock.wall = start
    return ports


async def join(home: Home) -> str:
    device, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await home.devices.handshake("lamp", Introduction(type="light", firmware_version="1"), station_id="s").done
    return device.id


async def test_whoever_is_logged_in_stays_so_for_as_long_as_promised(jump: tuple[datetime, datetime]) -> None:
    ports = ports_at(jump[0])
    async with ports.running() as home:
        login = await home.access.register(email="me@example.org", password="correct horse")
        ports.clock.wall = jump[1]
        still = home.access.verify(login.access_token)
        fresh = await home.access.refresh(login.refresh_token)
        ports.clock.leap(ACCESS_FOR.total_seconds() + 61)  # the tokens' leeway is a minute

        assert home.access.holds(still)
        with pytest.raises(Unauthenticated):
            home.access.verify(fresh.access_token)


async def test_silence_is_measured_in_seconds_that_went_by(jump: tuple[datetime, datetime]) -> None:
    ports = ports_at(jump[0])
    async with ports.running() as home:
        lamp = await join(home)
        ports.clock.wall = jump[1]
        await ports.clock.advance(170)
        before = home.household.device(lamp).status
        sent = await home.commands.send(lamp, {"action": "toggle"}, actor=SYSTEM)
        await ports.clock.advance(80)
        after = home.household.device(lamp).status

    assert (before, after) == (Status.ONLINE, Status.OFFLINE)
    assert sent


async def test_the_journal_asks_the_store_again_in_time(jump: tuple[datetime, datetime]) -> None:
    ports = ports_at(jump[0])
    async with ports.running() as home:
        await join(home)
        ports.store.trouble = StoreUnavailable()
        receipt = home.devices.report_state("lamp", {"on": True})
        await ports.clock.advance(1)
        ports.clock.wall = jump[1]
        ports.store.trouble = None
        await ports.clock.advance(2)

        assert receipt.done.done()


@pytest.mark.parametrize("wrong", [EPOCH, AHEAD, PRESENT - timedelta(hours=1)], ids=str)
async def test_a_box_that_starts_with_a_wrong_clock_logs_nobody_out(wrong: datetime) -> None:
    ports = ports_at(PRESENT)
    async with ports.running() as home:
        login = await home.access.register(email="me@example.org", password="correct horse")
    ports.clock.wall = wrong
    async with ports.running() as home:
        home.access.verify(login.access_token)
        fresh = await home.access.refresh(login.refresh_token)
    ports.clock.wall = PRESENT
    async with ports.running() as home:
        fresh = await home.access.refresh(fresh.refresh_token)

        assert home.access.holds(home.access.verify(fresh.access_token))


async def test_who_joins_a_box_whose_clock_is_far_ahead_stays_and_it_counts_as_nothing_later() -> None:
    ports = ports_at(AHEAD)
    async with ports.running() as home:
        login = await home.access.register(email="me@example.org", password="correct horse")
    async with ports.running() as home:
        fresh = await home.access.refresh(login.refresh_token)
        held = home.access.holds(home.access.verify(fresh.access_token))
    ports.clock.wall = PRESENT
    async with ports.running() as home:
        again = await home.access.login(email="me@example.org", password="correct horse")
        time = home.residents.time.now()
    async with ports.running() as home:
        fresh = await home.access.refresh(again.refresh_token)

        assert held
        assert time == PRESENT
        assert home.access.holds(home.access.verify(fresh.access_token))


async def test_who_joins_a_fresh_box_after_it_was_told_the_time_stays_logged_in_over_its_next_start() -> None:
    ports = ports_at(EPOCH)
    async with ports.running() as home:
        ports.clock.wall = PRESENT
        login = await home.access.register(email="me@example.org", password="correct horse")
    async with ports.running() as home:
        fresh = await home.access.refresh(login.refresh_token)

        assert home.access.holds(home.access.verify(fresh.access_token))


@pytest.mark.parametrize("wrong", [EPOCH, AHEAD, OUTLIVED], ids=str)
def test_steady_time_never_goes_back_and_never_jumps(wrong: datetime) -> None:
    clock = MemoryClock(wrong)
    time = SteadyTime(clock)
    began = time.now()
    clock.wall = PRESENT
    clock.leap(60)
    later = time.now()
    time.is_past(PRESENT)
    time.is_past(EPOCH)

    assert began == RELEASED
    assert later == RELEASED + timedelta(minutes=1)
    assert time.now() == PRESENT
