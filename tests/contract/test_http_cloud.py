"""Who owns the station in the cloud, and how the link is: over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.cloud.status import Mode
from station_core.errors import StoreUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import AT, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving(draw=lambda text: f"<svg>{text}</svg>") as rig:
        yield rig


async def test_before_there_is_a_user_anybody_may_see_how_to_claim_the_station(rig: HttpRig) -> None:
    answer = await rig.http.get("/api/cloud/claim")
    picture = await rig.http.get("/api/cloud/claim/qr.svg")

    code = rig.home.claim.code
    assert answer.status_code == 200
    assert answer.json() == {"chipId": "memory", "claimSecret": code.claim_secret, "code": code.text}
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert picture.text == f"<svg>{code.text}</svg>"
    assert {one.headers["cache-control"] for one in (answer, picture)} == {"no-store"}


@pytest.mark.parametrize("path", ["/api/cloud/claim", "/api/cloud/claim/qr.svg"])
async def test_then_its_owner_alone(rig: HttpRig, path: str) -> None:
    await rig.token(Role.OWNER)
    nobody = await rig.http.get(path)
    await rig.log_in(Role.ADMIN)
    admin = await rig.http.get(path)
    await rig.log_in(Role.OWNER)
    owner = await rig.http.get(path)

    assert problem(nobody) == (401, "unauthenticated")
    assert problem(admin) == (403, "forbidden")
    assert owner.status_code == 200


async def test_an_unclaimed_station_has_another_secret_and_its_people_stay(rig: HttpRig) -> None:
    await rig.home.claim.claimed("the token", by=rig.home.claim.standing)
    before = rig.home.claim.standing
    await rig.log_in()
    answer = await rig.http.post("/api/cloud/unclaim")
    status = (await rig.http.get("/api/cloud/status")).json()

    assert answer.status_code == 204
    assert rig.home.claim.standing.config is None
    assert rig.home.claim.code.claim_secret != before.claim_secret
    assert status["claimedAt"] is None


async def test_a_claim_that_cannot_be_read_is_said_to_be_so(rig: HttpRig) -> None:
    await rig.home.claim.claimed("the token", by=rig.home.claim.standing)
    rig.ports.cloud.lose_key()
    await rig.home.claim.load()
    await rig.log_in()
    answers = [await rig.http.get(path) for path in ("/api/cloud/claim", "/api/cloud/claim/qr.svg")]
    status = (await rig.http.get("/api/cloud/status")).json()

    assert [problem(answer) for answer in answers] == [(409, "claim_sealed")] * 2
    assert status["claimedAt"] is not None


async def test_without_the_store_nobody_is_unclaimed(rig: HttpRig) -> None:
    before = await rig.home.claim.claimed("the token", by=rig.home.claim.standing)
    await rig.log_in()
    rig.ports.cloud.trouble = StoreUnavailable()
    answer = await rig.http.post("/api/cloud/unclaim")

    assert problem(answer) == (503, "store_unavailable")
    assert rig.home.claim.standing is before


async def test_everybody_of_the_household_may_see_how_the_link_is(rig: HttpRig) -> None:
    await rig.home.claim.claimed("canary", by=rig.home.claim.standing)
    rig.home.cloud.turn(Mode.AUTHENTICATED)
    await rig.home.identity_sync.rename("Seaside")
    await rig.log_in(Role.MEMBER)
    answer = await rig.http.get("/api/cloud/status")

    assert answer.json() == {
        "stationName": "Seaside",
        "mode": "authenticated",
        "since": AT,
        "connectedSince": None,
        "lastError": None,
        "reconnects": 0,
        "oldestUnsent": None,
        "activeChannels": ["automation", "command", "event", "lifecycle", "state", "status", "transition"],
        "claimedAt": AT,
    }
