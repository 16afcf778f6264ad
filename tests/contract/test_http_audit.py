"""The owner reads who did what (docs/protocols.md §4), from a real server over a home in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import STATION, SYSTEM, Action, Deed
from station_core.errors import StoreUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import AT, LAMP, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


async def test_what_a_person_does_is_shown_to_the_owner(rig: HttpRig) -> None:
    await rig.log_in()
    zone = (await rig.http.post("/api/zones", json={"name": "Hall"})).json()

    page = (await rig.http.get("/api/audit", params={"action": "zone_add"})).json()

    [item] = page["items"]
    assert page["nextCursor"] is None
    assert item == {
        "id": item["id"],
        "actor": {"kind": "user", "id": "user-owner", "name": "owner@home.example"},
        "action": "zone_add",
        "subject": {"kind": "zone", "id": zone["id"], "name": "Hall"},
        "result": "done",
        "detail": {},
        "at": AT,
    }


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER])
async def test_nobody_else_reads_it(rig: HttpRig, role: Role) -> None:
    assert problem(await rig.http.get("/api/audit")) == (401, "unauthenticated")
    await rig.log_in(role)

    assert problem(await rig.http.get("/api/audit")) == (403, "forbidden")


async def test_it_comes_newest_first_page_by_page_and_is_found_by_who_what_whom_and_when(rig: HttpRig) -> None:
    await rig.log_in()
    made = [(await rig.http.post("/api/zones", json={"name": name})).json()["id"] for name in ("a", "b", "c")]
    await rig.http.delete(f"/api/zones/{made[0]}")

    async def found(**wanted: str | list[str]) -> list[str]:
        items: list[str] = []
        cursor = None
        while True:
            params = {**wanted, "limit": "1", **({} if cursor is None else {"cursor": cursor})}
            answer = await rig.http.get("/api/audit", params=params)
            assert answer.status_code == 200, answer.text
            items += [f"{item['action']} {item['subject']['name']}" for item in answer.json()["items"]]
            cursor = answer.json()["nextCursor"]
            if cursor is None:
                return items

    zones = ["zone_add", "zone_remove"]
    everything = ["zone_remove a", "zone_add c", "zone_add b", "zone_add a"]
    assert await found(action=zones) == everything
    assert await found(action="zone_add", actorId="user-owner") == everything[1:]
    assert await found(subjectId=made[0]) == ["zone_remove a", "zone_add a"]
    assert await found(subjectKind="zone", actorKind="user") == everything
    assert await found(action=zones, **{"from": AT}) == everything
    assert await found(to=AT) == []
    assert await found(actorKind="cloud") == []


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=%00",
        "action=fly",
        "actorKind=ghost",
        "from=soon",
        "limit=0",
        "limit=501",
        "actorId=%00",
    ],
)
async def test_what_makes_no_question_is_malformed(rig: HttpRig, query: str) -> None:
    await rig.log_in()

    assert problem(await rig.http.get(f"/api/audit?{query}")) == (400, "malformed")


async def test_while_the_store_is_away_it_says_so(rig: HttpRig) -> None:
    await rig.log_in()
    rig.ports.audit.trouble = StoreUnavailable()

    assert problem(await rig.http.get("/api/audit")) == (503, "store_unavailable")


async def test_no_secret_that_passes_through_is_in_it(rig: HttpRig) -> None:
    await rig.log_in()
    added = (await rig.http.post("/api/devices", json=LAMP)).json()
    await rig.http.delete(f"/api/devices/{added['id']}/credentials")
    renewed = (await rig.http.post(f"/api/devices/{added['id']}/credentials")).json()
    await rig.http.put("/api/wifi", json={"ssid": "home", "password": "canary-password"})
    await rig.ports.audit.keep([Deed(actor=SYSTEM, action=Action.ORDER, subject=STATION, at=rig.ports.clock.now())])

    shown = (await rig.http.get("/api/audit")).text
    assert "wifi_change" in shown
    assert "credentials_renew" in shown
    for secret in (added["deviceToken"], renewed["deviceToken"], "canary-password", rig.http.headers["authorization"]):
        assert secret not in shown
