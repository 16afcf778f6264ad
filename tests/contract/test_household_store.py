"""What every `IdentityStore` makes of the cloud's word: all of it or nothing."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import Action
from station_core.errors import ChangeRefused, StoreFull, StoreUnavailable
from station_core.identity.model import Role, Session, User
from station_core.identity.reconciling import Reconciliation
from station_core.identity.refreshing import Digests, Opening
from tests.contract.deeds import deed, recorded

if TYPE_CHECKING:
    from station_core.identity.ports import People
    from tests.contract.rigs import StoreRig

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
DIGEST = "$2b$10$" + "a" * 53


def user(name: str, role: Role = Role.MEMBER, /, **more: object) -> User:
    made = User(id=str(uuid.uuid4()), email=f"{name}@x.example", name=f"{name} ✓", role=role, created_at=NOON)
    return replace(made, **more)  # type: ignore[arg-type]  # as named


def member(name: str, role: Role = Role.MEMBER, /, **more: object) -> User:
    fields = {"cloud_user_id": name, "station_password_hash": DIGEST, "synced_at": NOON, **more}
    return user(name, role, **fields)


def opening(of: User) -> Opening:
    session = Session(
        id=str(uuid.uuid4()), user_id=of.id, created_at=NOON, used_at=NOON, expires_at=NOON + timedelta(days=30)
    )
    return Opening(session=session, refresh=Digests(family=uuid.uuid4().hex, secret=uuid.uuid4().hex))


async def founded(stores: StoreRig) -> User:
    anna = user("anna", Role.OWNER, password_hash="argon2")
    await stores.identities.found(anna, opening(anna))
    return anna


async def kept(stores: StoreRig) -> People:
    await stores.reopen()
    return await stores.identities.load()


def by_name(*users: User) -> list[User]:
    return sorted(users, key=lambda one: one.email)


async def test_a_household_is_kept_as_one_with_all_that_is_told(stores: StoreRig) -> None:
    anna, kim, bob = await founded(stores), member("kim", Role.OWNER), member("bob", disabled=True)
    former = replace(anna, role=Role.ADMIN, cloud_user_id="anna", linked=True, synced_at=NOON)
    change = Reconciliation(put=[kim, bob, former], owner_id=kim.id, station_name="Strandhäuschen")
    await stores.identities.reconcile(change)
    people = await kept(stores)

    assert by_name(*people.users) == [former, bob, kim]
    assert (people.owner_id, people.station_name) == (kim.id, "Strandhäuschen")
    assert people.members == {kim.id: Role.OWNER, bob.id: Role.MEMBER, anna.id: Role.ADMIN}


async def test_told_again_nothing_changes(stores: StoreRig) -> None:
    await founded(stores)
    change = Reconciliation(put=[member("kim")], station_name="Seaside")
    await stores.identities.reconcile(change)
    once = await kept(stores)
    await stores.identities.reconcile(change)

    assert await kept(stores) == once


async def test_who_is_removed_has_no_session_and_who_is_revoked_neither(stores: StoreRig) -> None:
    anna, kim, bob, eve = await founded(stores), member("kim"), member("bob"), member("eve")
    await stores.identities.reconcile(Reconciliation(put=[kim, bob, eve]))
    for one in (kim, bob, eve):
        await stores.identities.open_session(opening(one))
    await stores.identities.reconcile(Reconciliation(removed=[kim.id], revoked=[bob.id]))
    people = await kept(stores)

    assert by_name(*people.users) == [anna, bob, eve]
    assert {session.user_id for session in people.sessions} == {anna.id, eve.id}
    assert set(people.members) == {anna.id, bob.id, eve.id}


async def test_the_former_owner_may_go_when_there_is_another(stores: StoreRig) -> None:
    anna, kim = await founded(stores), member("kim", Role.OWNER)
    await stores.identities.reconcile(Reconciliation(put=[kim], removed=[anna.id], revoked=[anna.id], owner_id=kim.id))
    people = await kept(stores)

    assert (people.users, people.owner_id, people.sessions) == ([kim], kim.id, [])


async def test_addresses_and_cloud_users_may_change_hands(stores: StoreRig) -> None:
    anna, kim, bob, eve = await founded(stores), member("kim"), member("bob"), member("eve")
    await stores.identities.reconcile(Reconciliation(put=[kim, bob, eve]))
    swapped = [
        replace(kim, email=bob.email, cloud_user_id="bob"),
        replace(bob, email=kim.email.upper(), cloud_user_id="kim"),
        member("new", email=eve.email, cloud_user_id="eve"),
    ]
    await stores.identities.reconcile(Reconciliation(put=swapped, removed=[eve.id]))

    assert by_name(*(await kept(stores)).users) == by_name(anna, *swapped)


async def test_who_does_it_is_recorded_with_it_or_nothing_is_so(stores: StoreRig) -> None:
    anna, kim = await founded(stores), member("kim")
    with pytest.raises(ChangeRefused):
        await stores.identities.reconcile(
            Reconciliation(put=[kim], station_name="Seaside"), deed=deed(Action.IDENTITY_SYNC, result="\0")
        )
    refused = await kept(stores)
    await stores.identities.reconcile(Reconciliation(put=[kim]), deed=deed(Action.IDENTITY_SYNC))

    assert (refused.users, refused.station_name) == ([anna], "Station")
    assert [one.action for one in await recorded(stores)][-1] == Action.IDENTITY_SYNC
    assert by_name(*(await kept(stores)).users) == [anna, kim]


@pytest.mark.parametrize("trouble", [StoreUnavailable, StoreFull])
async def test_in_trouble_nothing_is_kept_and_after_it_everything(
    stores: StoreRig, trouble: type[StoreUnavailable | StoreFull]
) -> None:
    anna = await founded(stores)
    members = [member(f"m{n:04}", name="x" * 200) for n in range(300)]
    change = Reconciliation(put=members, station_name="Seaside", revoked=[anna.id])
    await (stores.cut() if trouble is StoreUnavailable else stores.fill())
    with pytest.raises(trouble):
        await stores.identities.reconcile(change)
    await (stores.mend() if trouble is StoreUnavailable else stores.make_room())
    untouched = await stores.identities.load()
    await stores.identities.reconcile(change)
    people = await kept(stores)

    assert (untouched.users, untouched.station_name, len(untouched.sessions)) == ([anna], "Station", 1)
    assert by_name(*people.users) == by_name(anna, *members)
    assert (people.station_name, people.sessions) == ("Seaside", [])


async def test_a_cancelled_sync_happened_or_didnt_and_its_caller_knows_which(stores: StoreRig) -> None:
    known = "Station"

    async def reconcile_and_wait(name: str) -> None:
        nonlocal known
        await stores.identities.reconcile(Reconciliation(put=[replace(kim, name=name)], station_name=name))
        known = name
        await asyncio.get_running_loop().create_future()

    await founded(stores)
    kim = member("kim", name="Station")
    await stores.identities.reconcile(Reconciliation(put=[kim]))
    for n in range(30):
        syncing = asyncio.ensure_future(reconcile_and_wait(f"name {n}"))
        await asyncio.sleep(n * 0.0003)  # any moment will do
        syncing.cancel()
        ended, _ = await asyncio.wait([syncing], timeout=5)
        assert ended, "A cancellation was lost."
        people = await stores.identities.load()
        [name] = [one.name for one in people.users if one.id == kim.id]

        assert (people.station_name, name) == (known, known)
