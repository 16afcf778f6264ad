"""What every `IdentityStore` promises of sessions and their refresh tokens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.errors import NotFound
from station_core.identity.model import Role
from station_core.identity.ports import Rotation
from tests.contract.residents import MONTH, NOBODIES, NOON, founded, opening, rotated, session, user

if TYPE_CHECKING:
    from tests.contract.rigs import StoreRig


async def test_a_user_may_have_several_sessions(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    second = session(ada)
    await stores.identities.open_session(opening(second, "r1", "second"))
    people = await stores.identities.load()

    assert {kept.id for kept in people.sessions} == {first.id, second.id}


async def test_nobody_has_no_session(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    for user_id in NOBODIES:
        with pytest.raises(NotFound):
            await stores.identities.open_session(opening(replace(session(ada), user_id=user_id), "r1", "second"))

    assert (await stores.identities.load()).sessions == [first]
    assert await rotated(stores, "r1", "r2", family="second") is None


async def test_a_refresh_token_is_used_up_for_a_fresh_one(stores: StoreRig) -> None:
    _, first = await founded(stores)
    at = NOON + timedelta(minutes=15)
    rotation = await rotated(stores, "r0", "r1", at)
    await stores.reopen()
    again = await rotated(stores, "r1", "r2", at)
    longer = replace(first, used_at=at, expires_at=at + MONTH)

    assert rotation == again == Rotation(session=longer, ended=False)
    assert (await stores.identities.load()).sessions == [longer]


@pytest.mark.parametrize("used", ["r0", "r1", "a secret that was never one"])
async def test_a_token_that_was_used_before_ends_its_session_and_no_other(stores: StoreRig, used: str) -> None:
    ada, first = await founded(stores)
    other = session(ada)
    await stores.identities.open_session(opening(other, "o0", "other"))
    await rotated(stores, "r0", "r1")
    await rotated(stores, "r1", "r2")
    reuse = await rotated(stores, used, "r3")

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

    assert [await rotated(stores, "r0", "fresh", family=name) for name in ("", "FIRST", "%", "r0")] == [None] * 4
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


async def test_a_new_password_may_open_a_session_in_place_of_the_others(stores: StoreRig) -> None:
    ada, _ = await founded(stores)
    present = session(ada)
    await stores.identities.set_password(ada.id, "another hash", then=opening(present, "p0", "present"))
    people = await stores.identities.load()
    rotation = await rotated(stores, "p0", "p1", family="present")

    assert people.sessions == [present]
    assert await rotated(stores, "r0", "r1") is None
    assert rotation is not None
    assert not rotation.ended


async def test_all_sessions_of_a_user_but_one_are_closed(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    bob = user("bob@example.org", role=Role.MEMBER)
    await stores.identities.add(bob)
    second, bobs = session(ada), session(bob)
    await stores.identities.open_session(opening(second, "r0", "second"))
    await stores.identities.open_session(opening(bobs, "r0", "bob's"))
    for user_id in (ada.id, ada.id, *NOBODIES):
        await stores.identities.close_sessions(user_id, but=second.id)

    assert {kept.id for kept in (await stores.identities.load()).sessions} == {second.id, bobs.id}
    assert await rotated(stores, "r0", "r1") is None
    assert first.id != second.id


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
