"""Health and people by HTTP (docs/protocols.md §4), from a real server over a home in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from station_core.health import MQTT, STORE, Phase
from station_core.identity.model import Role
from tests.contract.http_rig import AT, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig

ANNA = {"email": "Anna@Home.example", "password": "correct horse", "name": "Anna"}


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


# Health


@pytest.mark.parametrize("path", ["/health", "/api/health", "/health/live", "/health/startup"])
async def test_a_station_that_serves_is_healthy(rig: HttpRig, path: str) -> None:
    answer = await rig.http.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_monitor_may_ask_for_the_head_alone(rig: HttpRig) -> None:
    answer = await rig.http.head("/health")

    assert (answer.status_code, answer.content) == (200, b"")


async def test_before_it_serves_only_the_health_of_its_parts_is_told(rig: HttpRig) -> None:
    rig.home.health.phase = Phase.STARTING

    for path in ("/health", "/api/health", "/api/devices", "/nope", "/schema/openapi.json", "/health/startup"):
        answer = await rig.http.get(path)
        assert problem(answer) == (503, "starting")
        assert answer.headers["retry-after"] == "1"
    assert (await rig.http.get("/health/live")).status_code == 200
    assert problem(await rig.http.get("/health/ready")) == (503, "starting")


async def test_at_the_end_nothing_new_is_taken_on(rig: HttpRig) -> None:
    rig.home.health.phase = Phase.STOPPING

    for path in ("/health", "/api/devices", "/health/ready"):
        assert problem(await rig.http.get(path)) == (503, "unavailable")
    assert (await rig.http.get("/health/startup")).status_code == 200


@pytest.mark.parametrize(("part", "why"), [(STORE, "store_unavailable"), (MQTT, "broker_unavailable")])
async def test_a_station_without_store_or_broker_is_not_ready_and_lives(rig: HttpRig, part: str, why: str) -> None:
    rig.home.health.tell(part, up=False, detail="refused by 10.0.0.7")

    answer = await rig.http.get("/health/ready")

    assert problem(answer) == (503, why)
    assert answer.json()["parts"][part] == {"up": False}
    assert "retry-after" in answer.headers
    assert (await rig.http.get("/health")).status_code == 200


async def test_other_parts_are_told_and_change_nothing(rig: HttpRig) -> None:
    rig.home.health.tell("cloud", up=False, detail="no route")

    answer = await rig.http.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "parts": {"store": {"up": True}, "mqtt": {"up": True}, "ble": {"up": True}, "cloud": {"up": False}},
    }


@pytest.mark.parametrize(("role", "told"), [(Role.OWNER, True), (Role.ADMIN, False), (Role.MEMBER, False)])
async def test_only_the_owner_is_told_why(rig: HttpRig, role: Role, *, told: bool) -> None:
    await rig.log_in(role)
    rig.home.health.tell("cloud", up=False, detail="no route")

    cloud = (await rig.http.get("/health/ready")).json()["parts"]["cloud"]

    assert cloud == ({"up": False, "since": AT, "detail": "no route"} if told else {"up": False})


# People


async def test_the_first_who_registers_is_the_owner_and_then_it_is_closed(rig: HttpRig) -> None:
    before = (await rig.http.get("/api/auth/registration-status")).json()
    answer = await rig.http.post("/api/auth/register", json={**ANNA, "role": "admin", "id": "mine"})
    after = (await rig.http.get("/api/auth/registration-status")).json()

    assert answer.status_code == 201
    assert set(answer.json()) == {"user", "accessToken", "refreshToken"}
    user = answer.json()["user"]
    assert user == {"id": user["id"], "email": ANNA["email"], "name": "Anna", "role": "owner", "createdAt": AT}
    assert (before, after) == (
        {"isRegistrationOpen": True, "hasAdmin": False},
        {"isRegistrationOpen": False, "hasAdmin": True},
    )
    assert problem(await rig.http.post("/api/auth/register", json=ANNA)) == (403, "registration_closed")


async def test_of_several_who_register_at_once_one_wins(rig: HttpRig) -> None:
    people = [{**ANNA, "email": f"{n}@home.example"} for n in range(5)]

    answers = await asyncio.gather(*(rig.http.post("/api/auth/register", json=one) for one in people))

    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403, 403]
    assert {problem(answer)[1] for answer in answers if answer.status_code != 201} == {"registration_closed"}


async def test_a_person_logs_in_goes_on_and_logs_out(rig: HttpRig) -> None:
    await rig.http.post("/api/auth/register", json=ANNA)

    login = await rig.http.post("/api/auth/login", json={**ANNA, "email": ANNA["email"].upper()})
    refreshed = await rig.http.post("/api/auth/refresh", json={"refreshToken": login.json()["refreshToken"]})
    fresh = refreshed.json()
    bearer = {"authorization": f"Bearer {fresh['accessToken']}"}
    me = await rig.http.get("/api/users/me", headers=bearer)
    out = await rig.http.post("/api/auth/logout", json={"refreshToken": fresh["refreshToken"]})

    assert (login.status_code, set(login.json())) == (200, {"user", "accessToken", "refreshToken"})
    assert (refreshed.status_code, set(fresh)) == (200, {"accessToken", "refreshToken"})
    assert me.json() == login.json()["user"]
    assert (out.status_code, out.content) == (204, b"")
    assert problem(await rig.http.get("/api/users/me", headers=bearer)) == (401, "unauthenticated")


async def test_a_refresh_token_that_was_used_ends_its_session(rig: HttpRig) -> None:
    first = (await rig.http.post("/api/auth/register", json=ANNA)).json()
    second = (await rig.http.post("/api/auth/refresh", json={"refreshToken": first["refreshToken"]})).json()

    stolen = await rig.http.post("/api/auth/refresh", json={"refreshToken": first["refreshToken"]})

    assert problem(stolen) == (401, "unauthenticated")
    bearer = {"authorization": f"Bearer {second['accessToken']}"}
    assert problem(await rig.http.get("/api/users/me", headers=bearer)) == (401, "unauthenticated")
    again = await rig.http.post("/api/auth/refresh", json={"refreshToken": second["refreshToken"]})
    assert problem(again) == (401, "unauthenticated")


@pytest.mark.parametrize("body", [None, {}])
async def test_without_a_refresh_token_it_is_the_bearer_who_logs_out(rig: HttpRig, body: Any) -> None:
    await rig.log_in()

    out = await rig.http.post("/api/auth/logout", json=body)

    assert out.status_code == 204
    assert problem(await rig.http.get("/api/users/me")) == (401, "unauthenticated")


async def test_who_has_logged_out_may_do_so_again(rig: HttpRig) -> None:
    ending = {"refreshToken": (await rig.http.post("/api/auth/register", json=ANNA)).json()["refreshToken"]}

    outs = [await rig.http.post("/api/auth/logout", json=ending) for _ in range(2)]

    assert [out.status_code for out in outs] == [204, 204]
