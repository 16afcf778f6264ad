"""Failed logins by HTTP: ten of an account and thirty from an address in five minutes, then 429."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from station_adapters.http.app import create_app
from station_adapters.http.callers import Callers
from tests.contract.http_rig import PASSWORD
from tests.unit.http.problems import refused

if TYPE_CHECKING:
    from tests.contract.http_rig import HttpRig

OWNER, NOBODY = "owner@home.example", "nobody@home.example"


async def log_in(rig: HttpRig, email: str = OWNER, password: str = "wrong horse", **headers: str) -> httpx.Response:
    return await rig.http.post("/api/auth/login", json={"email": email, "password": password}, headers=headers)


def told(answer: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    """All that an answer tells, but for the request's id."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, answer.json() | {"requestId": ""}, headers


@pytest.mark.parametrize("password", ["wrong horse", "", "x", "x" * 9_000, "\0"])
async def test_who_is_known_and_who_is_not_are_told_the_same_before_and_after_the_limit(
    rig: HttpRig, password: str
) -> None:
    await rig.token()

    known = [told(await log_in(rig, OWNER, password)) for _ in range(12)]
    unknown = [told(await log_in(rig, NOBODY, password)) for _ in range(12)]

    assert known == unknown
    assert [status for status, _, _ in known] == [401] * 10 + [429] * 2


async def test_who_failed_too_often_is_told_when_to_come_back_and_gets_in_then(rig: HttpRig) -> None:
    await rig.token()
    rig.home.access._attempts._known.clear()
    for _ in range(10):
        await log_in(rig)
    rig.ports.clock.leap(100.5)

    limited = await log_in(rig, password=PASSWORD)
    rig.ports.clock.leap(200)
    entered = await log_in(rig, password=PASSWORD)

    refused(limited, 429, "rate_limited")
    assert limited.headers["retry-after"] == "200"
    assert entered.status_code == 200


async def test_thirty_failures_from_an_address_close_it_and_no_other(rig: HttpRig) -> None:
    store, hub = rig.ports.store, rig.hub
    app = create_app(rig.home, store, hub, callers=Callers(["127.0.0.1"]))
    await rig.token()
    async with httpx.AsyncClient(base_url="http://station", transport=httpx.ASGITransport(app)) as http:  # type: ignore[arg-type]  # an ASGI app
        rig.http = http
        far = {"x-forwarded-for": "203.0.113.9"}
        statuses = [(await log_in(rig, f"{n}@home.example", **far)).status_code for n in range(40)]

        assert statuses == [401] * 30 + [429] * 10
        assert (await log_in(rig, password=PASSWORD, **{"x-forwarded-for": "203.0.113.10"})).status_code == 200
        assert (await log_in(rig, password=PASSWORD, **far)).status_code == 429


async def test_an_address_is_not_changed_by_what_somebody_forwards(rig: HttpRig) -> None:
    statuses = [
        (await log_in(rig, f"{n}@home.example", **{"x-forwarded-for": f"203.0.113.{n}"})).status_code for n in range(40)
    ]

    assert statuses == [401] * 30 + [429] * 10


async def test_an_owner_who_logged_in_before_is_not_kept_out_by_the_failures_of_others(rig: HttpRig) -> None:
    app = create_app(rig.home, rig.ports.store, rig.hub, callers=Callers(["127.0.0.1"]))
    await rig.token()
    async with httpx.AsyncClient(base_url="http://station", transport=httpx.ASGITransport(app)) as http:  # type: ignore[arg-type]  # an ASGI app
        rig.http = http
        assert (await log_in(rig, password=PASSWORD, **{"x-forwarded-for": "192.168.1.7"})).status_code == 200
        for n in range(20):
            await log_in(rig, **{"x-forwarded-for": f"203.0.113.{n}"})

        assert (await log_in(rig, password=PASSWORD, **{"x-forwarded-for": "192.168.1.8"})).status_code == 429
        assert (await log_in(rig, password=PASSWORD, **{"x-forwarded-for": "192.168.1.7"})).status_code == 200


async def test_the_old_password_is_guessed_at_no_more_often_than_at_a_login(rig: HttpRig) -> None:
    await rig.log_in()
    rig.home.access._attempts._known.clear()
    guess = {"oldPassword": "wrong horse", "newPassword": "battery staple"}

    statuses = [(await rig.http.post("/api/auth/change-password", json=guess)).status_code for _ in range(12)]

    assert statuses == [403] * 10 + [429] * 2
    assert (await log_in(rig, password=PASSWORD)).status_code == 429
