"""Whoever is asked to join, the cloud hears of it: kept with the invitation, by every store, and never filtered."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.cloud.letters import Rank
from station_core.errors import Conflict, StoreUnavailable
from station_core.identity.model import Invite, Role
from tests.contract.mail import all_of, claimed
from tests.contract.residents import founded
from tests.contract.told import NOON

if TYPE_CHECKING:
    from tests.contract.rigs import StoreRig

WEEK = timedelta(days=7)
EVE = Invite(
    id=str(uuid.UUID(int=3)),
    email="eve@example.org",
    role=Role.ADMIN,
    invited_by="ada@example.org",
    created_at=NOON,
    sent_at=NOON,
    expires_at=NOON + WEEK,
)
AGAIN = replace(EVE, role=Role.MEMBER, sent_at=NOON + WEEK / 2, expires_at=NOON + 2 * WEEK)


async def heard(stores: StoreRig) -> list[tuple[object, object]]:
    """To whom, as what."""
    return [(one.letter.params["email"], one.letter.params["role"]) for one in await all_of(stores)]


async def test_an_invitation_goes_up_as_the_cloud_knows_it(stores: StoreRig) -> None:
    await claimed(stores)
    await founded(stores)
    await stores.identities.invite(EVE)
    await stores.reopen()
    await stores.outbox.load()
    [one] = await all_of(stores)

    assert (one.letter.method, one.letter.channel, one.letter.rank) == ("member.invited", None, Rank.IDENTITY)
    assert one.letter.params == {
        "email": "eve@example.org",
        "role": "admin",
        "invitedBy": "ada@example.org",
        "timestamp": "2026-03-01T12:00:00.999999Z",
    }
    assert str(uuid.UUID(one.event_id)) == one.event_id


async def test_it_goes_up_also_while_the_cloud_wants_to_hear_of_nothing(stores: StoreRig) -> None:
    await claimed(stores)
    await founded(stores)
    await stores.outbox.activate(frozenset())
    await stores.identities.invite(EVE)

    assert await heard(stores) == [("eve@example.org", "admin")]


async def test_who_is_asked_again_is_told_of_anew_in_place_of_what_did_not_go_up(stores: StoreRig) -> None:
    await claimed(stores)
    await founded(stores)
    await stores.identities.invite(EVE)
    [first] = await all_of(stores)
    await stores.identities.invite(AGAIN)
    [second] = await all_of(stores)

    assert second.letter.params["role"] == "member"
    assert second.event_id != first.event_id


async def test_what_was_revoked_before_it_went_up_stays_here(stores: StoreRig) -> None:
    await claimed(stores)
    await founded(stores)
    await stores.identities.invite(EVE)
    await stores.identities.revoke_invite(EVE.id)

    assert await heard(stores) == []


async def test_whoever_claims_the_station_hears_of_those_who_are_still_asked(stores: StoreRig) -> None:
    await founded(stores)
    await stores.identities.invite(EVE)
    over = replace(EVE, id=str(uuid.UUID(int=4)), email="late@example.org", expires_at=NOON)
    await stores.identities.invite(over)
    before = await heard(stores)
    await claimed(stores)
    first = await all_of(stores)
    await stores.cloud.forget()
    between = await heard(stores)
    await claimed(stores)
    second = await all_of(stores)

    assert (before, between) == ([], [])
    assert [one.letter.params["email"] for one in first] == ["eve@example.org"]
    assert [one.event_id for one in second] == [one.event_id for one in first]


async def test_an_invitation_that_is_refused_or_lost_goes_nowhere(stores: StoreRig) -> None:
    await claimed(stores)
    await founded(stores)
    with pytest.raises(Conflict):
        await stores.identities.invite(replace(EVE, email="ADA@example.org"))
    await stores.cut()
    with pytest.raises(StoreUnavailable):
        await stores.identities.invite(EVE)
    await stores.mend()

    assert await heard(stores) == []


async def test_a_cancelled_invitation_goes_up_if_it_is_kept_and_not_otherwise(stores: StoreRig) -> None:
    await claimed(stores)
    await founded(stores)
    asking = asyncio.ensure_future(stores.identities.invite(EVE))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])

    kept = (await stores.identities.load()).invites
    assert len(await heard(stores)) == len(kept) == (0 if asking.cancelled() else 1)


async def test_invitations_and_a_claim_at_once_lose_none(stores: StoreRig) -> None:
    await founded(stores)
    many = [replace(EVE, id=str(uuid.UUID(int=n)), email=f"{n}@example.org") for n in range(8)]
    await stores.cloud.load(fresh_secret="1" * 32)
    await asyncio.gather(*(stores.identities.invite(one) for one in many), claimed(stores))

    assert sorted(str(email) for email, _ in await heard(stores)) == [one.email for one in many]
