"""Who is what in the household and who is asked to join it, by every `IdentityStore`."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import SYSTEM, Action, Deed
from station_core.errors import Conflict, NotFound, StoreUnavailable
from station_core.identity.model import Invite, Role
from tests.contract.residents import NOBODIES, NOON, founded, opening, rotated, session, user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_core.identity.model import User
    from station_core.identity.ports import People
    from tests.contract.rigs import StoreRig

WEEK = timedelta(days=7)


def invite(email: str = "eve@example.org", **more: object) -> Invite:
    fields: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "email": email,
        "role": Role.MEMBER,
        "invited_by": "ada@example.org",
        "created_at": NOON,
        "sent_at": NOON,
        "expires_at": NOON + WEEK,
        **more,
    }
    return Invite(**fields)  # type: ignore[arg-type]  # as the tests name them


def deed(action: Action) -> Deed:
    return Deed(actor=SYSTEM, action=action, subject=user().subject, at=NOON)


async def people(stores: StoreRig) -> People:
    await stores.reopen()
    return await stores.identities.load()


async def moved_in(stores: StoreRig, email: str = "bob@example.org", role: Role = Role.MEMBER, days: int = 1) -> User:
    bob = replace(user(email, role=role), created_at=NOON + timedelta(days=days))
    await stores.identities.add(bob)
    return bob


def demote(stores: StoreRig, one: User) -> Awaitable[str | None]:
    return stores.identities.set_role(one.id, Role.MEMBER)


def remove(stores: StoreRig, one: User) -> Awaitable[str | None]:
    return stores.identities.remove(one.id)


LEAVING = [demote, remove]


async def test_another_role_is_kept_in_the_station_too_and_ends_all_sessions(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    bob = await moved_in(stores)
    await stores.identities.open_session(opening(session(bob), "b0", "bob"))
    owner_id = await stores.identities.set_role(bob.id, Role.ADMIN, deed=deed(Action.ROLE_CHANGE))

    found = await people(stores)
    assert owner_id == ada.id
    assert {one.id: one.role for one in found.users} == {ada.id: Role.OWNER, bob.id: Role.ADMIN}
    assert found.members == {ada.id: Role.OWNER, bob.id: Role.ADMIN}
    assert found.sessions == [first]
    assert await rotated(stores, "b0", "b1", family="bob") is None
    assert [record.deed.action for record in (await stores.audit.records()).items] == [Action.ROLE_CHANGE]


async def test_who_is_removed_is_gone_with_all_that_was_theirs(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    bob = await moved_in(stores)
    await stores.identities.open_session(opening(session(bob), "b0", "bob"))
    owner_id = await stores.identities.remove(bob.id, deed=deed(Action.USER_REMOVE))

    found = await people(stores)
    assert owner_id == ada.id
    assert (found.users, found.sessions, found.members) == ([ada], [first], {ada.id: Role.OWNER})
    assert await rotated(stores, "b0", "b1", family="bob") is None
    await moved_in(stores)


@pytest.mark.parametrize("leave", LEAVING)
async def test_the_last_owner_stays(stores: StoreRig, leave: Callable[[StoreRig, User], Awaitable[str | None]]) -> None:
    ada, first = await founded(stores)
    await moved_in(stores, role=Role.ADMIN)
    off = await moved_in(stores, "off@example.org", Role.OWNER)
    await stores.identities.disable(off.id)
    with pytest.raises(Conflict):
        await leave(stores, ada)

    found = await people(stores)
    assert found.owner_id == ada.id
    assert next(one for one in found.users if one.id == ada.id) == ada
    assert found.sessions == [first]


@pytest.mark.parametrize("leave", LEAVING)
async def test_when_the_stations_owner_goes_the_eldest_other_owner_takes_their_place(
    stores: StoreRig, leave: Callable[[StoreRig, User], Awaitable[str | None]]
) -> None:
    ada, _ = await founded(stores)
    await moved_in(stores, "young@example.org", Role.OWNER, days=3)
    old = await moved_in(stores, "old@example.org", Role.OWNER, days=2)

    assert await leave(stores, ada) == old.id
    assert (await people(stores)).owner_id == await stores.owner_id() == old.id


@pytest.mark.parametrize("first", LEAVING)
@pytest.mark.parametrize("second", LEAVING)
async def test_of_the_last_two_owners_who_go_at_once_one_stays(
    stores: StoreRig,
    first: Callable[[StoreRig, User], Awaitable[str | None]],
    second: Callable[[StoreRig, User], Awaitable[str | None]],
) -> None:
    ada, _ = await founded(stores)
    bob = await moved_in(stores, role=Role.OWNER)
    ends = await asyncio.gather(first(stores, ada), second(stores, bob), return_exceptions=True)

    found = await people(stores)
    [owner] = [one for one in found.users if one.role is Role.OWNER]
    assert [type(end) for end in ends if isinstance(end, Exception)] == [Conflict]
    assert found.owner_id == owner.id


async def test_whoever_is_made_owner_is_one_beside_the_stations(stores: StoreRig) -> None:
    ada, _ = await founded(stores)
    bob = await moved_in(stores)

    assert await stores.identities.set_role(bob.id, Role.OWNER) == ada.id
    assert (await people(stores)).members == {ada.id: Role.OWNER, bob.id: Role.OWNER}


@pytest.mark.parametrize("nobody", NOBODIES)
async def test_nobody_is_nothing(stores: StoreRig, nobody: str) -> None:
    await founded(stores)
    for change in (
        stores.identities.set_role(nobody, Role.MEMBER, deed=deed(Action.ROLE_CHANGE)),
        stores.identities.set_role(nobody, Role.OWNER, deed=deed(Action.ROLE_CHANGE)),
        stores.identities.remove(nobody, deed=deed(Action.USER_REMOVE)),
        stores.identities.revoke_invite(nobody, deed=deed(Action.INVITE_REVOKE)),
    ):
        with pytest.raises(NotFound):
            await change

    assert (await stores.audit.records()).items == []


async def test_who_is_asked_to_join_is_kept_until_it_is_revoked(stores: StoreRig) -> None:
    await founded(stores)
    eve, max_ = invite(), invite("max@example.org", role=Role.ADMIN)
    for asked in (eve, max_):
        await stores.identities.invite(asked, deed=deed(Action.INVITE_ADD))
    both = {one.id: one for one in (await people(stores)).invites}
    await stores.identities.revoke_invite(eve.id, deed=deed(Action.INVITE_REVOKE))

    assert both == {eve.id: eve, max_.id: max_}
    assert list((await people(stores)).invites) == [max_]
    assert len((await stores.audit.records()).items) == 3


async def test_who_is_asked_again_is_asked_once(stores: StoreRig) -> None:
    await founded(stores)
    await stores.identities.invite(invite())
    again = invite("EVE@example.org", role=Role.ADMIN, sent_at=NOON + WEEK / 2)
    await stores.identities.invite(again)

    assert list((await people(stores)).invites) == [again]


async def test_what_is_over_goes_when_somebody_else_is_asked(stores: StoreRig) -> None:
    await founded(stores)
    await stores.identities.invite(invite())
    later = invite("max@example.org", sent_at=NOON + WEEK, expires_at=NOON + 2 * WEEK)
    await stores.identities.invite(later)

    assert list((await people(stores)).invites) == [later]


async def test_who_is_here_is_not_asked_and_who_comes_is_asked_no_more(stores: StoreRig) -> None:
    await founded(stores)
    with pytest.raises(Conflict):
        await stores.identities.invite(invite("ADA@example.org"), deed=deed(Action.INVITE_ADD))
    await stores.identities.invite(invite())
    await moved_in(stores, "Eve@Example.org")

    assert list((await people(stores)).invites) == []
    assert (await stores.audit.records()).items == []


async def test_of_two_who_ask_the_same_at_once_one_is_the_last(stores: StoreRig) -> None:
    await founded(stores)
    asked = [invite(role=role) for role in (Role.MEMBER, Role.ADMIN)]
    await asyncio.gather(*(stores.identities.invite(one) for one in asked), return_exceptions=True)

    [kept] = (await people(stores)).invites
    assert kept in asked


async def test_a_store_that_is_away_changes_nobody(stores: StoreRig) -> None:
    ada, first = await founded(stores)
    bob = await moved_in(stores)
    await stores.cut()
    for change in (
        stores.identities.set_role(bob.id, Role.OWNER),
        stores.identities.remove(bob.id),
        stores.identities.invite(invite()),
    ):
        with pytest.raises(StoreUnavailable):
            await change
    await stores.mend()

    found = await people(stores)
    assert {one.id: one.role for one in found.users} == {ada.id: Role.OWNER, bob.id: Role.MEMBER}
    assert (list(found.sessions), list(found.invites)) == ([first], [])


@pytest.mark.parametrize("change", [lambda s, b: s.remove(b.id), lambda s, b: s.set_role(b.id, Role.ADMIN)])
async def test_a_cancelled_change_is_there_whole_or_not_at_all(
    stores: StoreRig, change: Callable[[object, User], Awaitable[str | None]]
) -> None:
    await founded(stores)
    bob = await moved_in(stores)
    changing = asyncio.ensure_future(change(stores.identities, bob))
    await asyncio.sleep(0)
    changing.cancel()
    await asyncio.wait([changing])

    found = await people(stores)
    assert (bob in found.users) is changing.cancelled()
    assert {one.id: one.role for one in found.users} == dict(found.members)
