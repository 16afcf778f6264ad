"""What every `IdentityStore` promises."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.errors import Conflict, NotFound, RegistrationClosed, StoreFull, StoreUnavailable
from station_core.identity.model import Role, Session, User
from station_core.identity.ports import Rotation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.contract.rigs import StoreRig

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
MONTH = timedelta(days=30)
NOBODIES = (str(uuid.UUID(int=7)), "nobody")


def user(email: str = "Ada@example.org", **more: object) -> User:
    fields: dict[str, object] = {"password_hash": "argon2 of it", "name": "Ada ✓", "role": Role.OWNER, **more}
    return User(id=str(uuid.uuid4()), email=email, created_at=NOON, **fields)  # type: ignore[arg-type]  # as named


def session(of: User, at: datetime = NOON) -> Session:
    return Session(id=str(uuid.uuid4()), user_id=of.id, created_at=at, expires_at=at + MONTH)


async def founded(stores: StoreRig, refresh: str = "r0") -> tuple[User, Session]:
    ada = user()
    first = session(ada)
    await stores.identities.found(ada, first, refresh)
    return ada, first


async def rotated(stores: StoreRig, used: str, fresh: str, at: datetime = NOON) -> Rotation | None:
    return await stores.identities.rotate(used, fresh, at=at, expires_at=at + MONTH)


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
        await stores.identities.found(eve, session(eve), "r1")
    people = await stores.identities.load()

    assert (people.users, people.sessions) == ([ada], [first])


async def test_of_several_first_users_at_once_one_wins(stores: StoreRig) -> None:
    rivals = [user(f"{n}@example.org") for n in range(6)]
    ends = await asyncio.gather(
        *(stores.identities.found(rival, session(rival), f"r{rival.id}") for rival in rivals), return_exceptions=True
    )
    people = await stores.identities.load()
    [winner] = people.users

    assert ends[rivals.index(winner)] is None
    assert sum(isinstance(end, RegistrationClosed) for end in ends) == 5
    assert [kept.user_id for kept in people.sessions] == [winner.id]
    assert await stores.owner_id() == winner.id


async def test_a_user_may_have_several_sessions(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    second = session(ada)
    await stores.identities.open_session(second, "r1")
    people = await stores.identities.load()

    assert {kept.id for kept in people.sessions} == {first.id, second.id}


async def test_nobody_has_no_session(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    for user_id in NOBODIES:
        with pytest.raises(NotFound):
            await stores.identities.open_session(replace(session(ada), user_id=user_id), "r1")

    assert (await stores.identities.load()).sessions == [first]
    assert await rotated(stores, "r1", "r2") is None


async def test_a_refresh_token_is_used_up_for_a_fresh_one(stores: StoreRig) -> None:
    _, first = await founded(stores)
    at = NOON + timedelta(minutes=15)
    rotation = await rotated(stores, "r0", "r1", at)
    await stores.reopen()
    again = await rotated(stores, "r1", "r2", at)
    longer = replace(first, expires_at=at + MONTH)

    assert rotation == again == Rotation(session=longer, ended=False)
    assert (await stores.identities.load()).sessions == [longer]


async def test_a_token_that_was_used_before_ends_its_session_and_no_other(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    other = session(ada)
    await stores.identities.open_session(other, "other")
    await rotated(stores, "r0", "r1")
    await rotated(stores, "r1", "r2")
    reuse = await rotated(stores, "r0", "r3")

    assert reuse is not None
    assert (reuse.session.id, reuse.ended) == (first.id, True)
    assert [await rotated(stores, token, "fresh") for token in ("r0", "r1", "r2", "r3")] == [None] * 4
    assert (await stores.identities.load()).sessions == [other]


async def test_a_token_that_is_used_twice_at_once_is_good_once_and_ends_the_session(stores: StoreRig) -> None:
    await founded(stores)
    ends = await asyncio.gather(*(rotated(stores, "r0", f"fresh {n}") for n in range(4)))

    assert [end.ended for end in ends if end is not None].count(False) == 1
    assert [end.ended for end in ends if end is not None].count(True) == 1
    assert (await stores.identities.load()).sessions == []
    assert [await rotated(stores, f"fresh {n}", "more") for n in range(4)] == [None] * 4


async def test_an_unknown_token_opens_nothing_and_ends_nothing(stores: StoreRig) -> None:
    _, first = await founded(stores)

    assert [await rotated(stores, token, "fresh") for token in ("r1", "", "R0", "%")] == [None] * 4
    assert (await stores.identities.load()).sessions == [first]


async def test_a_session_that_ended_by_its_time_isnt_refreshed(stores: StoreRig) -> None:
    await founded(stores)

    assert await rotated(stores, "r0", "r1", NOON + MONTH) is None
    assert await rotated(stores, "r0", "r1", NOON + MONTH - timedelta(microseconds=1)) is not None


async def test_a_closed_session_is_gone_and_closing_it_again_is_no_error(stores: StoreRig) -> None:
    _, first = await founded(stores)
    for session_id in (first.id, first.id, "none of ours"):
        await stores.identities.close_session(session_id)

    assert (await stores.identities.load()).sessions == []
    assert await rotated(stores, "r0", "r1") is None


async def test_a_new_password_ends_all_sessions_of_its_user(stores: StoreRig) -> None:
    ada, _ = await founded(stores)
    await stores.identities.open_session(session(ada), "r1")
    await stores.identities.set_password(ada.id, "another hash")
    people = await stores.identities.load()

    assert [kept.password_hash for kept in people.users] == ["another hash"]
    assert people.sessions == []
    assert [await rotated(stores, token, "fresh") for token in ("r0", "r1")] == [None, None]


async def test_one_more_user_is_kept_over_a_restart_and_logs_in(stores: StoreRig) -> None:
    ada, _ = await founded(stores)
    bob = user("bob@example.org", role=Role.MEMBER, name="Bob")
    await stores.identities.add(bob)
    await stores.identities.open_session(session(bob), "b0")
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
    await stores.identities.open_session(session(bob), "b0")
    for _ in range(2):
        await stores.identities.disable(bob.id)
    await stores.reopen()
    people = await stores.identities.load()
    token = await rotated(stores, "b0", "b1")
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


async def test_without_the_database_nothing_is_kept_and_with_it_again_everything(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    second = session(ada)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: stores.identities.open_session(second, "r1"),
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
        await stores.identities.found(ada, session(ada), "r0")
    await stores.make_room()
    nobody = await stores.identities.load()
    await stores.identities.found(ada, session(ada), "r0")

    assert (nobody.users, nobody.sessions) == ([], [])
    assert (await stores.identities.load()).users == [ada]


async def test_a_cancelled_rotation_happened_or_didnt_and_its_caller_knows_which(stores: StoreRig) -> None:
    async def rotate_and_wait(fresh: str) -> None:
        await rotated(stores, tokens[-1], fresh)
        tokens.append(fresh)
        await asyncio.get_running_loop().create_future()

    await founded(stores)
    tokens = ["r0"]
    for n in range(30):
        rotating = asyncio.ensure_future(rotate_and_wait(f"fresh {n}"))
        await asyncio.sleep(n * 0.0003)  # any moment will do
        rotating.cancel()
        ended, _ = await asyncio.wait([rotating], timeout=5)
        assert ended, "A cancellation was lost."
    last = await rotated(stores, tokens[-1], "last")

    assert last is not None
    assert not last.ended
