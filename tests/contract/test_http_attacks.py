"""Tokens where they don't belong, and ids of things that are others': never let in, never told apart."""

from __future__ import annotations

import json
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import websockets

from station_core.identity.model import Role
from tests.contract.http_rig import PASSWORD, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig

NOBODY = "00000000-0000-4000-8000-000000000000"
UNKNOWN = [NOBODY, "1", "..", "%00", "%ff", "a" * 4_000, "%2e%2e%2f", "' OR 1=1 --", NOBODY.upper()]


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


@pytest.mark.parametrize("name", ["token", "access_token", "accessToken", "authorization", "Authorization", "jwt"])
async def test_a_token_in_the_url_opens_nothing_and_stands_in_no_log(
    rig: HttpRig, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = await rig.token()

    answers = [await rig.http.get(f"/api/users/me?{name}={prefix}{token}") for prefix in ("", "Bearer%20")]
    url = f"ws://127.0.0.1:{rig.port}/ws?{name}={token}"
    async with websockets.connect(url, proxy=None) as connection:
        await connection.send(json.dumps({"type": "ping"}))
        told = json.loads(await connection.recv())

    assert [problem(answer) for answer in answers] == [(401, "unauthenticated")] * 2
    assert told == {"type": "error", "code": "unauthenticated"}
    ours = [record for record in caplog.records if record.name.startswith("station")]
    assert ours
    assert token not in " ".join(f"{record.getMessage()} {vars(record)}" for record in ours)


async def test_nothing_that_was_said_in_confidence_stands_in_a_log(
    rig: HttpRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await rig.token()
    async with AsyncExitStack() as stack:
        login = await rig.http.post("/api/auth/login", json={"email": "owner@home.example", "password": PASSWORD})
        tokens = login.json()
        await rig.opened(stack, tokens["accessToken"])
        await rig.http.post("/api/auth/login", json={"email": "owner@home.example", "password": "wrong horse"})
        fresh = (await rig.http.post("/api/auth/refresh", json={"refreshToken": tokens["refreshToken"]})).json()
        await rig.http.post("/api/auth/refresh", json={"refreshToken": tokens["refreshToken"]})

    secrets = [PASSWORD, "wrong horse", *(pair[key] for pair in (tokens, fresh) for key in pair if key != "user")]
    ours = [record for record in caplog.records if record.name.startswith("station")]
    said = " ".join(f"{record.getMessage()} {vars(record)}" for record in ours)
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize("path", ["/api/device/state", "/api/settings/agent"])
async def test_a_persons_token_is_no_devices_and_no_agents(rig: HttpRig, path: str) -> None:
    token = await rig.token()

    for header in ("x-device-token", "device-token"):
        answer = await rig.http.post(path, json={"state": {}}, headers={header: token})
        assert problem(answer) == (401, "unauthenticated")


@pytest.mark.parametrize("foreign", UNKNOWN)
async def test_what_is_not_ones_own_is_as_if_it_were_not_there(rig: HttpRig, foreign: str) -> None:
    await rig.log_in(Role.OWNER)
    theirs = (await rig.http.get("/api/auth/sessions")).json()["items"][0]["id"]
    await rig.log_in(Role.ADMIN)

    absent = await rig.http.delete(f"/api/auth/sessions/{foreign}")
    others = await rig.http.delete(f"/api/auth/sessions/{theirs}")

    assert absent.status_code == others.status_code == 404
    if foreign == NOBODY:
        unlike = {"instance", "requestId"}
        assert {k: v for k, v in absent.json().items() if k not in unlike} == {
            k: v for k, v in others.json().items() if k not in unlike
        }


@pytest.mark.parametrize("body", [{"role": "owner"}, {"isAdmin": True}, {"user": {"role": "owner"}}, {"userId": "x"}])
async def test_what_a_body_says_of_ones_role_is_not_believed(rig: HttpRig, body: dict[str, object]) -> None:
    await rig.token(Role.MEMBER)
    credentials = {"email": "member@home.example", "password": PASSWORD}

    login = await rig.http.post("/api/auth/login", json={**body, **credentials})

    assert login.json()["user"]["role"] == "member"
    bearer = {"authorization": f"Bearer {login.json()['accessToken']}"}
    assert problem(await rig.http.post("/api/zones", json={"name": "Hall", **body}, headers=bearer)) == (
        403,
        "forbidden",
    )
