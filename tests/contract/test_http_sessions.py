"""A person's own sessions by HTTP (docs/protocols.md §4), and what their end does to live sockets."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from station_core.identity.model import Role
from tests.contract.http_rig import AT, PASSWORD, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.contract.http_rig import HttpRig

OWNER = "owner@home.example"
OTHER = "battery staple"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        await rig.log_in()
        yield rig


async def log_in(rig: HttpRig, **more: Any) -> dict[str, Any]:
    answer = await rig.http.post("/api/auth/login", json={"email": OWNER, "password": PASSWORD, **more})
    assert answer.status_code == 200
    login: dict[str, Any] = answer.json()
    return login


def bearer(login: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {login['accessToken']}"}


async def me(rig: HttpRig, login: dict[str, Any]) -> int:
    return (await rig.http.get("/api/users/me", headers=bearer(login))).status_code


async def test_a_person_logs_in_by_name(rig: HttpRig) -> None:
    answer = await rig.http.post("/api/auth/login", json={"name": "owner", "password": PASSWORD})

    assert (answer.status_code, answer.json()["user"]["email"]) == (200, OWNER)
    assert problem(await rig.http.post("/api/auth/login", json={"password": PASSWORD})) == (400, "malformed")


async def test_a_person_sees_where_they_are_logged_in(rig: HttpRig) -> None:
    login = await log_in(rig, device="Phone")

    answer = await rig.http.get("/api/auth/sessions", headers=bearer(login) | {"user-agent": "App/2"})

    page = answer.json()
    session = next(item for item in page["items"] if item["current"])
    assert page["nextCursor"] is None
    assert len(page["items"]) == 2
    assert session == {
        "id": session["id"],
        "device": "Phone",
        "userAgent": rig.http.headers["user-agent"],
        "createdAt": AT,
        "lastUsedAt": AT,
        "current": True,
    }


async def test_one_session_is_ended_by_another_of_the_same_person(rig: HttpRig) -> None:
    lost = await log_in(rig)
    mine = (await rig.http.get("/api/auth/sessions", headers=bearer(lost))).json()["items"]
    lost_id = next(item["id"] for item in mine if item["current"])

    ended = await rig.http.delete(f"/api/auth/sessions/{lost_id}")

    assert (ended.status_code, ended.content) == (204, b"")
    assert await me(rig, lost) == 401
    assert problem(await rig.http.delete(f"/api/auth/sessions/{lost_id}")) == (404, "not_found")


async def test_the_session_of_somebody_else_is_not_there(rig: HttpRig) -> None:
    theirs = (await rig.http.get("/api/auth/sessions")).json()["items"][0]["id"]
    await rig.log_in(Role.MEMBER)

    assert problem(await rig.http.delete(f"/api/auth/sessions/{theirs}")) == (404, "not_found")


async def test_all_other_sessions_are_ended(rig: HttpRig) -> None:
    others = [await log_in(rig) for _ in range(2)]

    ended = await rig.http.delete("/api/auth/sessions")

    assert ended.status_code == 204
    assert [await me(rig, other) for other in others] == [401, 401]
    assert len((await rig.http.get("/api/auth/sessions")).json()["items"]) == 1


async def test_a_password_is_changed_and_its_bearer_goes_on_with_a_fresh_pair(rig: HttpRig) -> None:
    login = await log_in(rig)
    change = {"oldPassword": PASSWORD, "newPassword": OTHER}

    changed = await rig.http.post("/api/auth/change-password", json=change, headers=bearer(login))

    assert (changed.status_code, set(changed.json())) == (200, {"user", "accessToken", "refreshToken"})
    assert await me(rig, login) == 401
    assert await me(rig, changed.json()) == 200
    refreshed = await rig.http.post("/api/auth/refresh", json={"refreshToken": changed.json()["refreshToken"]})
    assert refreshed.status_code == 200
    assert await me(rig, await log_in(rig, password=OTHER)) == 200


async def test_a_password_is_not_changed_without_the_old_one(rig: HttpRig) -> None:
    change = {"oldPassword": OTHER, "newPassword": OTHER}

    assert problem(await rig.http.post("/api/auth/change-password", json=change)) == (403, "forbidden")
    assert (await rig.http.get("/api/users/me")).status_code == 200


async def end_all_others(rig: HttpRig) -> None:
    await rig.http.delete("/api/auth/sessions", headers=bearer(await log_in(rig)))


ENDS: dict[str, Callable[[HttpRig], Awaitable[Any]]] = {
    "log out": lambda rig: rig.http.post("/api/auth/logout"),
    "end from elsewhere": end_all_others,
    "change the password": lambda rig: rig.http.post(
        "/api/auth/change-password", json={"oldPassword": PASSWORD, "newPassword": OTHER}
    ),
    "reset the password": lambda rig: rig.home.accounts.reset_password(email=OWNER, password=OTHER),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_an_ended_sessions_sockets_are_closed_without_any_time_going_by(
    rig: HttpRig, end: Callable[[HttpRig], Awaitable[Any]]
) -> None:
    token = rig.http.headers["authorization"].removeprefix("Bearer ")
    async with AsyncExitStack() as stack:
        clients = [await rig.opened(stack, token) for _ in range(3)]
        await end(rig)

        assert [await client.closed() for client in clients] == [4401] * 3
        again = await stack.enter_async_context(rig.socket(token))
        assert await again.closed() == 4401


async def test_a_refresh_token_that_was_stolen_closes_the_sockets_of_its_session(rig: HttpRig) -> None:
    login = await log_in(rig)
    async with AsyncExitStack() as stack:
        client = await rig.opened(stack, login["accessToken"])
        other = await rig.opened(stack, rig.http.headers["authorization"].removeprefix("Bearer "))
        for _ in range(2):
            await rig.http.post("/api/auth/refresh", json={"refreshToken": login["refreshToken"]})

        assert await client.closed() == 4401
        await other.say({"type": "ping"})
        assert (await other.next())["type"] == "pong"
