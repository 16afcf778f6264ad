"""What every `IdentityStore` promises of people."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from station_core.errors import Conflict, NotFound, RegistrationClosed, StoreFull, StoreUnavailable
from station_core.identity.model import Role
from tests.contract.residents import NOBODIES, founded, opening, rotated, session, user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.contract.rigs import StoreRig


async def test_a_new_store_knows_nobody(stores: StoreRig) -> None:
    people = await stores.identities.load()

    assert (people.users, people.sessions) == ([], [])
    assert (people.owner_id, people.members) == (None, {})
    assert await stores.owner_id() is None


async def test_the_first_user_is_kept_over_a_restart_as_the_stations_owner(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    await stores.reopen()
    people = await stores.identities.load()

    assert (people.users, people.sessions) == ([ada], [first])
    assert people.users[0].password_hash == "argon2 of it"
    assert (people.owner_id, people.members) == (ada.id, {ada.id: Role.OWNER})
    assert await stores.owner_id() == ada.id


async def test_there_is_one_first_user(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    eve = user("eve@example.org")
    with pytest.raises(RegistrationClosed):
        await stores.identities.found(eve, opening(session(eve), "r1", "eve"))
    people = await stores.identities.load()

    assert (people.users, people.sessions) == ([ada], [first])


async def test_of_several_first_users_at_once_one_wins(stores: StoreRig) -> None:
    rivals = [user(f"{n}@example.org") for n in range(6)]
    ends = await asyncio.gather(
        *(stores.identities.found(rival, opening(session(rival), "r0", rival.id)) for rival in rivals),
        return_exceptions=True,
    )
    people = await stores.identities.load()
    [winner] = people.users

    assert ends[rivals.index(winner)] is None
    assert sum(isinstance(end, RegistrationClosed) for end in ends) == 5
    assert [kept.user_id for kept in people.sessions] == [winner.id]
    assert await stores.owner_id() == winner.id


async def test_a_new_password_ends_all_sessions_of_its_user(stores: StoreRig) -> None:
    ada, _ = await founded(stores)
    await stores.identities.open_session(opening(session(ada), "r0", "second"))
    await stores.identities.set_password(ada.id, "another hash")
    people = await stores.identities.load()

    assert [kept.password_hash for kept in people.users] == ["another hash"]
    assert people.sessions == []
    assert [await rotated(stores, "r0", "fresh", family=family) for family in ("first", "second")] == [None, None]


async def test_another_digest_of_the_same_password_leaves_the_sessions(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    await stores.identities.rehash(ada.id, "a better one")
    people = await stores.identities.load()

    assert (people.users, people.sessions) == ([replace(ada, password_hash="a better one")], [first])


async def test_one_more_user_is_kept_over_a_restart_and_logs_in(stores: StoreRig) -> None:
    ada, _ = await founded(stores)
    bob = user("bob@example.org", role=Role.MEMBER, name="Bob")
    await stores.identities.add(bob)
    await stores.identities.open_session(opening(session(bob), "b0", "bob's"))
    await stores.reopen()
    people = await stores.identities.load()

    assert sorted(people.users, key=lambda one: one.email) == [ada, bob]
    assert people.members == {ada.id: Role.OWNER, bob.id: Role.MEMBER}
    assert await stores.owner_id() == ada.id


async def test_an_address_is_one_users_in_any_case(stores: StoreRig) -> None:
    ada, _ = await founded(stores)
    with pytest.raises(Conflict):
        await stores.identities.add(user("ADA@example.org", role=Role.MEMBER))

    assert (await stores.identities.load()).users == [ada]


async def test_a_disabled_user_has_no_sessions_and_is_one_over_a_restart_until_enabled(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    bob = user("bob@example.org", role=Role.MEMBER)
    await stores.identities.add(bob)
    await stores.identities.open_session(opening(session(bob), "b0", "bob's"))
    for _ in range(2):
        await stores.identities.disable(bob.id)
    await stores.reopen()
    people = await stores.identities.load()
    token = await rotated(stores, "b0", "b1", family="bob's")
    for _ in range(2):
        await stores.identities.enable(bob.id)
    again = await stores.identities.load()

    assert {one.email: one.disabled for one in people.users} == {ada.email: False, bob.email: True}
    assert people.sessions == [first]
    assert token is None
    assert not any(one.disabled for one in again.users)


async def test_nobody_is_disabled_or_enabled(stores: StoreRig) -> None:
    for user_id in NOBODIES:
        with pytest.raises(NotFound):
            await stores.identities.disable(user_id)
        with pytest.raises(NotFound):
            await stores.identities.enable(user_id)


async def test_nobody_gets_no_password(stores: StoreRig) -> None:
    for user_id in NOBODIES:
        with pytest.raises(NotFound):
            await stores.identities.set_password(user_id, "hash")
        with pytest.raises(NotFound):
            await stores.identities.rehash(user_id, "hash")


async def test_without_the_database_nothing_is_kept_and_with_it_again_everything(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    second = session(ada)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: stores.identities.open_session(opening(second, "r1", "second")),
        lambda: rotated(stores, "r0", "r2"),
        lambda: stores.identities.close_session(first.id),
        lambda: stores.identities.set_password(ada.id, "another hash"),
    ]
    await stores.cut()
    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    await stores.mend()
    untouched = await stores.identities.load()
    for attempt in attempts:
        await attempt()
    people = await stores.identities.load()

    assert (untouched.users, untouched.sessions) == ([ada], [first])
    assert ([kept.password_hash for kept in people.users], people.sessions) == (["another hash"], [])


async def test_a_full_disk_is_told_apart(stores: StoreRig) -> None:
    ada = user(name="x" * 20_000)
    await stores.fill()
    with pytest.raises(StoreFull):
        await stores.identities.found(ada, opening(session(ada)))
    await stores.make_room()
    nobody = await stores.identities.load()
    await stores.identities.found(ada, opening(session(ada)))

    assert (nobody.users, nobody.sessions) == ([], [])
    assert (await stores.identities.load()).users == [ada]
