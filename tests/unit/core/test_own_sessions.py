"""What people do of their own logins: see them, end them, change the password."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.identity import MemoryPasswords
from station_core.errors import Forbidden, Malformed, NotFound, RateLimited, Unauthenticated, Unavailable
from station_core.identity.events import AccessChanged
from station_core.identity.model import Role
from station_core.identity.residents import MOST_SESSIONS
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, login, refused

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from station_core.identity.model import Login, Principal

BOB = "bob@home.example"


def who(home: Home, login: Login) -> Principal:
    return home.access.verify(login.access_token)


async def test_ones_own_sessions_are_told_the_last_used_first(ports: MemoryPorts, home: Home, owner: Login) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)
    await home.access.login(email=BOB, password=OTHER)
    ports.clock.leap(60)
    phone = await home.access.login(email=EMAIL, password=PASSWORD, device=" Phone\n", user_agent="App/1" + "x" * 999)
    ports.clock.leap(60)
    at = ports.clock.now()
    home.access.verify(owner.access_token)

    first, second = home.sessions.of(who(home, owner))

    assert (first.id, first.used_at, first.device, first.user_agent) == (who(home, owner).session_id, at, None, None)
    assert (second.device, second.user_agent) == ("Phone", ("App/1" + "x" * 999)[:200])
    assert second.used_at == at - timedelta(seconds=60)
    assert second.id == who(home, phone).session_id


async def test_a_refresh_is_a_use_that_is_kept(ports: MemoryPorts, home: Home, owner: Login) -> None:
    ports.clock.leap(3600)
    await home.access.refresh(owner.refresh_token)

    [session] = (await ports.identities.load()).sessions
    assert session.used_at == ports.clock.now()


async def test_one_of_ones_own_is_ended_and_nobody_elses(home: Home, owner: Login) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.OWNER)
    bob = await home.access.login(email=BOB, password=OTHER)
    other = await login(home)
    me = who(home, owner)

    for session_id in (who(home, bob).session_id, "nobody's"):
        with pytest.raises(NotFound):
            await home.sessions.end(me, session_id)
    await home.sessions.end(me, who(home, other).session_id)

    assert refused(home, other.access_token)
    assert not refused(home, bob.access_token)
    assert not refused(home, owner.access_token)


async def test_all_others_are_ended(home: Home, owner: Login) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)
    bob = await home.access.login(email=BOB, password=OTHER)
    others = [await login(home) for _ in range(3)]

    await home.sessions.end_others(who(home, owner))

    assert all(refused(home, other.access_token) for other in others)
    assert not refused(home, owner.access_token)
    assert not refused(home, bob.access_token)
    for other in others:
        with pytest.raises(Unauthenticated):
            await home.access.refresh(other.refresh_token)


async def test_a_changed_password_ends_all_sessions_and_begins_one(home: Home, owner: Login) -> None:
    other = await home.access.login(email=EMAIL, password=PASSWORD, device="Phone")

    changed = await home.sessions.change_password(who(home, other), old=PASSWORD, new=OTHER)

    assert refused(home, owner.access_token)
    assert refused(home, other.access_token)
    assert [one.device for one in home.sessions.of(who(home, changed))] == ["Phone"]
    with pytest.raises(Unauthenticated):
        await login(home)
    await login(home, OTHER)
    await home.access.refresh(changed.refresh_token)


@pytest.mark.parametrize(("old", "new", "error"), [(OTHER, OTHER, Forbidden), (PASSWORD, "short", Malformed)])
async def test_a_password_is_changed_by_who_knows_it_to_a_proper_one(
    home: Home, owner: Login, old: str, new: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await home.sessions.change_password(who(home, owner), old=old, new=new)

    assert not refused(home, owner.access_token)
    await login(home)


async def test_a_session_that_ends_while_the_password_is_changed_changes_nothing(home: Home, owner: Login) -> None:
    me = who(home, owner)

    class Slow(MemoryPasswords):
        async def hash(self, password: str) -> str:
            if password == OTHER:
                await home.access.log_out(me.session_id)
            return await super().hash(password)

    home.sessions._passwords = Slow()
    with pytest.raises(Unauthenticated):
        await home.sessions.change_password(me, old=PASSWORD, new=OTHER)

    await login(home)


async def test_of_two_changes_at_once_one_wins(home: Home, owner: Login) -> None:
    me = who(home, owner)
    changes = [home.sessions.change_password(me, old=PASSWORD, new=new) for new in (OTHER, OTHER + "2")]

    outcomes = await asyncio.gather(*changes, return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Login", "Unauthenticated"]


async def test_who_keeps_a_link_open_hears_of_each_end(home: Home, owner: Login) -> None:
    other = await login(home)
    with home.bus.subscribe(AccessChanged, bound=9) as heard:
        await home.access.log_out(who(home, other).session_id)
        await home.access.log_out("nobody's")
        await home.accounts.reset_password(email=EMAIL, password=OTHER)
        told = heard.take()

    assert {event.user_id for event in told} == {owner.user.id}
    assert len(told) == 3


# By whom


async def test_a_name_that_is_one_persons_alone_is_as_good_as_the_address(home: Home, owner: Login) -> None:
    by_name = await home.access.login(email=" ANNA ", password=PASSWORD)
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER, name="Anna")

    assert by_name.user == owner.user
    for password in (PASSWORD, OTHER):
        with pytest.raises(Unauthenticated):
            await home.access.login(email="Anna", password=password)


async def test_nobody_takes_anothers_address_for_a_name(home: Home, owner: Login) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER, name=EMAIL)

    with pytest.raises(Unauthenticated):
        await home.access.login(email=EMAIL, password=OTHER)
    assert (await login(home)).user.id == owner.user.id


async def test_who_has_no_password_does_not_get_in(home: Home, owner: Login) -> None:
    home.residents.put(replace(owner.user, password_hash=None))

    with pytest.raises(Unauthenticated):
        await login(home)


# A better digest


async def weak(ports: MemoryPorts, home: Home) -> str:
    """Anna's digest is of a kind that isn't made any more."""
    [anna] = (await ports.identities.load()).users
    digest = f"weak {anna.password_hash}"
    await ports.identities.rehash(anna.id, digest)
    await home.residents.load()
    return digest


async def kept(ports: MemoryPorts) -> str | None:
    [anna] = (await ports.identities.load()).users
    return anna.password_hash


async def test_a_login_makes_a_weak_digest_a_good_one_and_ends_nothing(
    ports: MemoryPorts, home: Home, owner: Login
) -> None:
    digest = await weak(ports, home)

    await login(home)

    assert await kept(ports) == digest.removeprefix("weak ")
    assert not refused(home, owner.access_token)
    await login(home)


async def test_of_many_who_log_in_at_once_with_a_weak_digest_all_get_in(
    ports: MemoryPorts, home: Home, owner: Login
) -> None:
    digest = await weak(ports, home)

    logins = await asyncio.gather(*(login(home) for _ in range(20)))

    assert not any(refused(home, one.access_token) for one in logins)
    assert await kept(ports) == digest.removeprefix("weak ")


async def test_the_session_that_was_not_used_for_longest_ends_where_there_are_too_many(
    ports: MemoryPorts, home: Home, owner: Login
) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)
    bob = await home.access.login(email=BOB, password=OTHER)
    ports.clock.leap(1)
    logins = []
    for _ in range(MOST_SESSIONS):
        home.access.verify(owner.access_token)
        logins.append(await login(home))
        ports.clock.leap(1)

    assert [refused(home, one.access_token) for one in logins] == [True] + [False] * (MOST_SESSIONS - 1)
    assert not refused(home, owner.access_token)
    assert not refused(home, bob.access_token)
    assert len((await ports.identities.load()).sessions) == MOST_SESSIONS + 1


@pytest.mark.parametrize("error", [RateLimited, Unavailable])
async def test_nobody_stays_outside_for_want_of_a_better_digest(
    ports: MemoryPorts, home: Home, owner: Login, error: type[Exception]
) -> None:
    class Busy(MemoryPasswords):
        async def hash(self, password: str) -> str:
            raise error(password[:0])

        async def verify(self, password: str, digest: str | None) -> None:
            await MemoryPasswords().verify(password, digest)

    digest = await weak(ports, home)
    home.access._passwords = Busy()

    await login(home)

    assert await kept(ports) == digest


class Watched(MemoryPasswords):
    """Writes down what it was asked to verify by."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    async def verify(self, password: str, digest: str | None) -> None:
        self.kinds.append(self.kind(digest))
        await super().verify(password, digest)


@pytest.mark.parametrize("who", [EMAIL, BOB, "nobody@home.example", "ben@home.example", "carl@home.example"])
async def test_a_failed_login_is_the_same_work_whoever_it_was(ports: MemoryPorts, home: Home, who: str) -> None:
    await home.access.register(email=EMAIL, password=PASSWORD)
    await weak(ports, home)
    for email in (BOB, "ben@home.example", "carl@home.example"):
        await home.accounts.add(email=email, password=OTHER, role=Role.MEMBER)
    await home.accounts.disable("ben@home.example")
    home.residents.put(replace(home.accounts.user("carl@home.example"), password_hash=None))
    watched = home.access._passwords = Watched()

    with pytest.raises(Unauthenticated):
        await home.access.login(email=who, password="wrong horse")

    assert sorted(watched.kinds) == ["memory", "weak"]


async def test_the_password_of_another_opens_nothing(ports: MemoryPorts, home: Home, owner: Login) -> None:
    await weak(ports, home)
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)

    for who in (BOB, "nobody@home.example"):
        with pytest.raises(Unauthenticated):
            await home.access.login(email=who, password=PASSWORD)
