"""The household's people by HTTP (docs/protocols.md §4), from a real server over a home in memory."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from station_core.errors import StoreUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import AT, PASSWORD, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.contract.http_rig import HttpRig

NOBODY = "00000000-0000-4000-8000-000000000007"
MANAGED = "/api/user-management"
INVITES = f"{MANAGED}/invites"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        for role in (Role.MEMBER, Role.ADMIN, Role.OWNER):
            await rig.log_in(role)
        yield rig


def person(role: Role) -> dict[str, Any]:
    return {
        "id": f"user-{role}",
        "email": f"{role}@home.example",
        "name": role.title(),
        "role": role.value,
        "createdAt": AT,
        "disabled": False,
    }


async def give(rig: HttpRig, whom: str, role: str) -> httpx.Response:
    return await rig.http.patch(f"{MANAGED}/{whom}/role", json={"role": role})


@pytest.mark.parametrize("role", list(Role))
async def test_everybody_sees_who_lives_here(rig: HttpRig, role: Role) -> None:
    await rig.log_in(role)
    first = (await rig.http.get("/api/users", params={"limit": 2})).json()
    second = (await rig.http.get("/api/users", params={"limit": 2, "cursor": first["nextCursor"]})).json()

    assert first["items"] == [person(Role.ADMIN), person(Role.MEMBER)]
    assert second == {"items": [person(Role.OWNER)], "nextCursor": None}
    assert problem(await rig.http.get("/api/users", params={"cursor": "!"})) == (400, "malformed")


async def test_an_owner_gives_roles_and_removes_people(rig: HttpRig) -> None:
    given = await give(rig, "user-member", "admin")
    removed = await rig.http.delete(f"{MANAGED}/user-admin")

    assert (given.status_code, given.json()) == (200, person(Role.MEMBER) | {"role": "admin"})
    assert (removed.status_code, removed.content) == (204, b"")
    assert [one["id"] for one in (await rig.http.get("/api/users")).json()["items"]] == ["user-member", "user-owner"]


async def test_an_admin_reaches_members_alone_and_a_member_nobody(rig: HttpRig) -> None:
    await rig.log_in(Role.ADMIN)
    for whom, role in (("user-owner", "member"), ("user-admin", "owner"), ("user-member", "admin")):
        assert problem(await give(rig, whom, role)) == (403, "forbidden")
    for whom in ("user-owner", "user-admin"):
        assert problem(await rig.http.delete(f"{MANAGED}/{whom}")) == (403, "forbidden")
    await rig.log_in(Role.MEMBER)
    assert problem(await give(rig, "user-member", "owner")) == (403, "forbidden")
    assert problem(await rig.http.delete(f"{MANAGED}/user-member")) == (403, "forbidden")
    assert problem(await rig.http.post(INVITES, json={"email": "eve@example.org", "role": "member"})) == (
        403,
        "forbidden",
    )

    await rig.log_in(Role.OWNER)
    assert (await rig.http.get("/api/users")).json()["items"] == [person(role) for role in sorted(Role)]


async def test_the_last_owner_stays(rig: HttpRig) -> None:
    assert problem(await give(rig, "user-owner", "member")) == (409, "conflict")
    assert problem(await rig.http.delete(f"{MANAGED}/user-owner")) == (409, "conflict")
    assert (await rig.http.get("/api/users/me")).json()["role"] == "owner"


@pytest.mark.parametrize("whom", [NOBODY, "nobody", "%00", "x" * 5_000])
async def test_nobody_is_not_found(rig: HttpRig, whom: str) -> None:
    for answer in (
        await give(rig, whom, "member"),
        await rig.http.delete(f"{MANAGED}/{whom}"),
        await rig.http.delete(f"{INVITES}/{whom}"),
    ):
        assert problem(answer) == (404, "not_found")


@pytest.mark.parametrize(
    "body", [{}, {"role": "king"}, {"role": None}, {"role": ["owner"]}, "owner", {"Role": "owner"}]
)
async def test_what_is_no_role_is_malformed(rig: HttpRig, body: Any) -> None:
    assert problem(await rig.http.patch(f"{MANAGED}/user-member/role", json=body)) == (400, "malformed")


async def test_a_role_that_is_written_anywhere_else_is_not_read(rig: HttpRig) -> None:
    await rig.log_in(Role.MEMBER)
    login = {"email": "member@home.example", "password": PASSWORD, "role": "owner", "user": {"role": "owner"}}
    tokens = (await rig.http.post("/api/auth/login", json=login)).json()
    refreshed = await rig.http.post("/api/auth/refresh", json={"refreshToken": tokens["refreshToken"], "role": "owner"})
    rig.http.headers["authorization"] = f"Bearer {refreshed.json()['accessToken']}"

    assert tokens["user"]["role"] == "member"
    assert (await rig.http.get("/api/users/me", params={"role": "owner"})).json()["role"] == "member"
    assert problem(await rig.http.post("/api/zones", json={"name": "Hall", "role": "owner"})) == (403, "forbidden")


@pytest.mark.parametrize("change", ["role", "remove"])
async def test_whose_role_changes_or_who_is_removed_is_out_at_once(rig: HttpRig, change: str) -> None:
    token = await rig.token(Role.MEMBER)
    await rig.log_in(Role.OWNER)
    async with AsyncExitStack() as stack:
        socket = await rig.opened(stack, token)
        if change == "role":
            await give(rig, "user-member", "admin")
        else:
            await rig.http.delete(f"{MANAGED}/user-member")

        assert await socket.closed() == 4401
    answer = await rig.http.get("/api/users/me", headers={"authorization": f"Bearer {token}"})
    assert problem(answer) == (401, "unauthenticated")


async def test_somebody_is_asked_to_join_until_it_is_revoked(rig: HttpRig) -> None:
    asked = await rig.http.post(INVITES, json={"email": " Eve@example.org ", "role": "admin"})
    invite = asked.json()
    listed = (await rig.http.get(INVITES)).json()
    revoked = await rig.http.delete(f"{INVITES}/{invite['id']}")

    assert (asked.status_code, invite) == (
        201,
        {
            "id": invite["id"],
            "email": "Eve@example.org",
            "role": "admin",
            "invitedBy": "owner@home.example",
            "createdAt": AT,
            "sentAt": AT,
            "expiresAt": "2026-01-08T00:00:00Z",
        },
    )
    assert listed == {"items": [invite], "nextCursor": None}
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert (await rig.http.get(INVITES)).json()["items"] == []
    assert problem(await rig.http.delete(f"{INVITES}/{invite['id']}")) == (404, "not_found")


async def test_who_is_asked_again_too_soon_is_told_when(rig: HttpRig) -> None:
    eve = {"email": "eve@example.org", "role": "member"}
    first = (await rig.http.post(INVITES, json=eve)).json()
    soon = await rig.http.post(INVITES, json=eve)
    rig.ports.clock.leap(60)
    again = await rig.http.post(INVITES, json=eve)

    assert problem(soon) == (429, "rate_limited")
    assert soon.headers["retry-after"] == "60"
    assert (again.status_code, again.json()["id"], again.json()["sentAt"]) == (201, first["id"], "2026-01-01T00:01:00Z")


async def test_invitations_are_listed_page_by_page(rig: HttpRig) -> None:
    for name in ("c", "A", "b"):
        await rig.http.post(INVITES, json={"email": f"{name}@example.org", "role": "member"})
    first = (await rig.http.get(INVITES, params={"limit": 2})).json()
    second = (await rig.http.get(INVITES, params={"cursor": first["nextCursor"]})).json()

    assert [one["email"] for one in first["items"] + second["items"]] == [f"{name}@example.org" for name in "Abc"]
    assert second["nextCursor"] is None


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"email": "eve@example.org"}, (400, "malformed")),
        ({"email": "eve", "role": "member"}, (400, "malformed")),
        ({"email": "eve@example.org", "role": "owner"}, (400, "malformed")),
        ({"email": "eve@example.org", "role": "guest"}, (400, "malformed")),
        ({"email": "MEMBER@home.example", "role": "member"}, (409, "conflict")),
    ],
)
async def test_who_cannot_be_asked_is_not(rig: HttpRig, body: dict[str, str], refusal: tuple[int, str]) -> None:
    assert problem(await rig.http.post(INVITES, json=body)) == refusal
    assert (await rig.http.get(INVITES)).json()["items"] == []


async def test_while_the_store_is_away_nobody_changes(rig: HttpRig) -> None:
    rig.ports.identities.trouble = StoreUnavailable()

    assert problem(await give(rig, "user-member", "admin")) == (503, "store_unavailable")
    assert problem(await rig.http.delete(f"{MANAGED}/user-member")) == (503, "store_unavailable")
    assert (await rig.http.get("/api/users")).json()["items"] == [person(role) for role in sorted(Role)]
