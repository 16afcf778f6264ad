from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.errors import (
    StoreUnavailable,
    Unauthenticated,
)
from station_core.identity.access import ACCESS_FOR
from station_core.identity.model import Claims, Login, Role
from station_core.identity.residents import SESSION_FOR
from tests.unit.core.living import overlapping
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, login, refused

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from tests.unit.core.people import DistantIdentities


async def test_an_access_token_holds_for_a_quarter_of_an_hour(ports: MemoryPorts, home: Home, owner: Login) -> None:
    await ports.clock.advance(ACCESS_FOR.total_seconds() - 1)
    assert not refused(home, owner.access_token)

    await ports.clock.advance(1)

    assert refused(home, owner.access_token)


async def test_refreshing_uses_the_token_up_and_goes_on_with_the_session(home: Home, owner: Login) -> None:
    fresh = await home.access.refresh(owner.refresh_token)

    before, after = home.access.verify(owner.access_token), home.access.verify(fresh.access_token)
    assert before == after
    assert fresh.refresh_token != owner.refresh_token


async def test_a_refresh_token_that_was_used_before_ends_its_session_and_no_other(home: Home, owner: Login) -> None:
    other = await login(home)
    fresh = await home.access.refresh(owner.refresh_token)

    for token in (owner.refresh_token, fresh.refresh_token, fresh.refresh_token):
        with pytest.raises(Unauthenticated):
            await home.access.refresh(token)

    assert refused(home, owner.access_token)
    assert refused(home, fresh.access_token)
    assert not refused(home, other.access_token)


async def test_a_token_that_is_refreshed_twice_at_once_ends_its_session_in_store_and_memory(
    identities: DistantIdentities, home: Home, owner: Login
) -> None:
    identities.turns.append(20)
    outcomes = await asyncio.gather(
        *(home.access.refresh(owner.refresh_token) for _ in range(2)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Login", "Unauthenticated"]
    fresh = next(outcome for outcome in outcomes if isinstance(outcome, Login))
    assert refused(home, fresh.access_token)
    with pytest.raises(Unauthenticated):
        await home.access.refresh(fresh.refresh_token)


async def test_a_session_that_is_not_refreshed_for_thirty_days_is_over(
    ports: MemoryPorts, home: Home, owner: Login
) -> None:
    ports.clock.leap((SESSION_FOR - timedelta(days=1)).total_seconds())
    fresh = await home.access.refresh(owner.refresh_token)
    ports.clock.leap(SESSION_FOR.total_seconds())

    with pytest.raises(Unauthenticated):
        await home.access.refresh(fresh.refresh_token)


async def test_sessions_that_are_over_leave_memory_at_the_next_login_and_at_a_start(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        await home.access.register(email=EMAIL, password=PASSWORD)
        for _ in range(3):
            await login(home)
        ports.clock.leap(SESSION_FOR.total_seconds())
        await login(home)
        assert len(home.residents._sessions) == 1
        ports.clock.wall += SESSION_FOR
    async with ports.running() as home:
        assert home.residents._sessions == {}


async def test_logging_out_ends_the_session_at_once_and_again_is_no_error(home: Home, owner: Login) -> None:
    session_id = home.access.verify(owner.access_token).session_id

    await home.access.log_out(session_id)
    await home.access.log_out(session_id)

    assert refused(home, owner.access_token)
    with pytest.raises(Unauthenticated):
        await home.access.refresh(owner.refresh_token)


@pytest.mark.parametrize("turns", range(12))
async def test_a_session_that_is_ended_while_it_is_refreshed_stays_ended(
    identities: DistantIdentities, home: Home, owner: Login, turns: int
) -> None:
    identities.turns.append(20)
    session_id = home.access.verify(owner.access_token).session_id

    fresh, _ = await overlapping(home.access.refresh(owner.refresh_token), home.access.log_out(session_id), turns=turns)

    assert refused(home, owner.access_token)
    assert isinstance(fresh, Unauthenticated) or refused(home, fresh.access_token)


async def test_while_the_store_is_away_known_sessions_hold_and_nothing_changes(
    ports: MemoryPorts, home: Home, owner: Login
) -> None:
    session_id = home.access.verify(owner.access_token).session_id
    ports.identities.trouble = StoreUnavailable()

    for attempt in (
        login(home),
        home.access.refresh(owner.refresh_token),
        home.access.log_out(session_id),
        home.accounts.reset_password(email=EMAIL, password=OTHER),
    ):
        with pytest.raises(StoreUnavailable):
            await attempt

    assert not refused(home, owner.access_token)
    ports.identities.trouble = None
    await home.access.refresh(owner.refresh_token)


async def test_sessions_survive_a_restart(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        owner = await home.access.register(email=EMAIL, password=PASSWORD)
    async with ports.running() as home:
        assert home.access.verify(owner.access_token).user == owner.user


@pytest.mark.parametrize("wrong", [{"role": Role.MEMBER}, {"user_id": "nobody"}, {"session_id": "none"}], ids=str)
async def test_a_token_of_ours_that_fits_no_session_is_refused(
    ports: MemoryPorts, home: Home, owner: Login, wrong: dict[str, str]
) -> None:
    principal = home.access.verify(owner.access_token)
    at = ports.clock.now()
    fields = {"user_id": owner.user.id, "role": Role.OWNER, "session_id": principal.session_id, **wrong}

    token = ports.tokens.issue(Claims(token_id="t", issued_at=at, expires_at=at + ACCESS_FOR, **fields))  # type: ignore[arg-type]  # as parametrized

    assert refused(home, token)


async def test_a_user_whom_memory_no_longer_knows_is_refused(home: Home, owner: Login) -> None:
    home.residents._users.clear()

    with pytest.raises(Unauthenticated):
        await home.access.refresh(owner.refresh_token)
    assert refused(home, owner.access_token)


async def test_who_was_verified_is_held_until_their_session_ends_or_their_role_changes(
    ports: MemoryPorts, home: Home, owner: Login
) -> None:
    principal = home.access.verify(owner.access_token)
    assert home.access.holds(principal)
    assert not home.access.holds(replace(principal, user=replace(principal.user, role=Role.MEMBER)))
    assert not home.access.holds(replace(principal, user=replace(principal.user, id="nobody")))

    await home.access.log_out(principal.session_id)
    assert not home.access.holds(principal)
    later = home.access.verify((await login(home)).access_token)
    ports.clock.leap(SESSION_FOR.total_seconds())

    assert not home.access.holds(later)


async def test_a_session_is_ended_by_its_refresh_token_and_one_that_opens_nothing_is_no_error(
    home: Home, owner: Login
) -> None:
    other = await login(home)

    for token in (owner.refresh_token, owner.refresh_token, "nobody's"):
        await home.access.log_out_by(token)

    assert refused(home, owner.access_token)
    assert not refused(home, other.access_token)
