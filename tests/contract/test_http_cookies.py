"""Cookies beside the bearer (docs/protocols.md §4): for pages of the station's own."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from station_adapters.http.app import create_app
from station_adapters.http.callers import Callers
from tests.contract.http_rig import PASSWORD, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.contract.http_rig import HttpRig

OWNER = {"email": "owner@home.example", "password": PASSWORD}


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        await rig.token()
        yield rig


def own(rig: HttpRig) -> str:
    return f"http://127.0.0.1:{rig.port}"


def page(rig: HttpRig) -> dict[str, str]:
    """What a browser says of a page of the station's own."""
    return {"origin": own(rig), "sec-fetch-site": "same-origin"}


def set_by(answer: httpx.Response) -> Mapping[str, Any]:
    cookies: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        cookies.load(line)
    return cookies


async def log_in(rig: HttpRig, **headers: str) -> httpx.Response:
    answer = await rig.http.post("/api/auth/login", json=OWNER, headers=headers)
    assert answer.status_code == 200
    return answer


async def test_a_login_sets_both_cookies_that_no_script_reads_and_no_other_site_is_sent(rig: HttpRig) -> None:
    answer = await log_in(rig, **page(rig))

    cookies = set_by(answer)
    told = {name: (one.value, one["path"], one["max-age"]) for name, one in cookies.items()}
    assert told == {
        "station_access": (answer.json()["accessToken"], "/", "900"),
        "station_refresh": (answer.json()["refreshToken"], "/api/auth", "2592000"),
    }
    for cookie in cookies.values():
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "strict", "")


async def test_cookies_are_secure_where_a_trusted_proxy_says_that_the_caller_speaks_tls(rig: HttpRig) -> None:
    untrusted = await log_in(rig, **{"x-forwarded-proto": "https"})
    app = create_app(rig.home, rig.ports.store, rig.hub, callers=Callers(["127.0.0.1"]))
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # an ASGI app
    async with httpx.AsyncClient(base_url="http://home.example", transport=transport) as http:
        forwarded = {"x-forwarded-proto": "https", "origin": "https://home.example"}
        secure = await http.post("/api/auth/login", json=OWNER, headers=forwarded)

    assert [bool(cookie["secure"]) for cookie in set_by(untrusted).values()] == [False, False]
    assert [bool(cookie["secure"]) for cookie in set_by(secure).values()] == [True, True]


async def test_a_page_goes_on_and_logs_out_by_its_cookies_alone(rig: HttpRig) -> None:
    await log_in(rig, **page(rig))

    me = await rig.http.get("/api/users/me")
    before = dict(rig.http.cookies)
    refreshed = await rig.http.post("/api/auth/refresh", headers=page(rig))
    changed = await rig.http.post("/api/zones", json={"name": "Hall"}, headers=page(rig))
    out = await rig.http.post("/api/auth/logout", headers=page(rig))

    assert me.json()["email"] == OWNER["email"]
    assert (refreshed.status_code, set(refreshed.json())) == (200, {"accessToken", "refreshToken"})
    assert refreshed.json()["refreshToken"] not in before.values()
    assert changed.status_code == 201
    assert out.status_code == 204
    assert dict(rig.http.cookies) == {}
    assert problem(await rig.http.get("/api/users/me")) == (401, "unauthenticated")
    with_old = {"cookie": f"station_access={refreshed.json()['accessToken']}"}
    assert problem(await rig.http.get("/api/users/me", headers=with_old)) == (401, "unauthenticated")


async def test_a_changed_password_comes_with_fresh_cookies(rig: HttpRig) -> None:
    await log_in(rig, **page(rig))

    change = {"oldPassword": PASSWORD, "newPassword": "battery staple"}
    changed = await rig.http.post("/api/auth/change-password", json=change, headers=page(rig))

    assert changed.status_code == 200
    assert (await rig.http.get("/api/users/me")).status_code == 200
    assert len((await rig.http.get("/api/auth/sessions")).json()["items"]) == 1


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
async def test_no_page_of_another_site_makes_itself_the_owner(headers: dict[str, str]) -> None:
    someone = {"email": "eve@evil.example", "password": "correct horse"}
    async with serving() as rig:
        refused = await rig.http.post("/api/auth/register", json=someone, headers=headers)
        still_open = rig.home.access.registration_open
        entered = await rig.http.post("/api/auth/register", json=someone, headers=page(rig))

    assert problem(refused) == (403, "forbidden")
    assert still_open
    assert (entered.status_code, set(set_by(entered))) == (201, {"station_access", "station_refresh"})


FOREIGN = [
    {},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "OWN.evil.example"},
    {"origin": "file://OWN"},
    {"origin": "OWN@evil.example"},
    {"origin": "OWN", "sec-fetch-site": "same-site"},
    {"origin": "OWN", "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"referer": "OWN"},
    {"origin": "OWN", "content-type": "text/plain"},
    {"origin": "OWN", "content-type": "application/x-www-form-urlencoded"},
    {"origin": "OWN", "content-type": "multipart/form-data; boundary=x"},
    {"origin": "OWN", "content-type": "text/plain; application/json"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/zones"),
        ("DELETE", "/api/auth/sessions"),
        ("POST", "/api/auth/refresh"),
        ("POST", "/api/auth/logout"),
    ],
)
async def test_a_change_by_a_cookie_that_is_not_known_to_be_asked_for_by_a_page_of_ours_is_refused(
    rig: HttpRig, method: str, path: str, headers: dict[str, str]
) -> None:
    await log_in(rig, **page(rig))
    said = {name: value.replace("OWN", own(rig)) for name, value in headers.items()}

    answer = await rig.http.request(method, path, content=b'{"name":"Hall"}', headers=said)

    assert problem(answer) == (403, "forbidden")
    assert rig.home.zones.all() == []
    assert (await rig.http.get("/api/users/me")).status_code == 200


async def test_a_bearer_is_sent_by_no_browser_on_its_own_and_needs_no_origin(rig: HttpRig) -> None:
    await rig.log_in()

    for headers in (
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"content-type": "text/plain"},
    ):
        answer = await rig.http.post("/api/zones", content=b'{"name":"Hall"}', headers=headers)
        assert answer.status_code in {201, 409}


async def test_the_bearer_counts_also_where_a_cookie_comes_along(rig: HttpRig) -> None:
    await log_in(rig, **page(rig))

    answer = await rig.http.get("/api/users/me", headers={"authorization": "Bearer nonsense"})

    assert problem(answer) == (401, "unauthenticated")


async def test_a_page_goes_on_by_its_cookie_also_with_a_bearer_that_has_expired(rig: HttpRig) -> None:
    await log_in(rig, **page(rig))
    said = {**page(rig), "authorization": "Bearer expired"}

    refreshed = await rig.http.post("/api/auth/refresh", headers=said)
    out = await rig.http.post("/api/auth/logout", headers=said)

    assert refreshed.status_code == 200
    assert problem(out) == (401, "unauthenticated")


async def test_who_names_a_bearer_logs_that_one_out_and_not_the_cookies(rig: HttpRig) -> None:
    other = await rig.token()
    await log_in(rig, **page(rig))

    out = await rig.http.post("/api/auth/logout", headers={**page(rig), "authorization": f"Bearer {other}"})

    assert out.status_code == 204
    assert len(rig.home.residents._sessions) == 2


async def test_a_page_of_another_origin_that_logs_somebody_in_leaves_them_no_cookie(rig: HttpRig) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await log_in(rig, **headers)
        assert set_by(answer) == {}


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "station_access",
        "station_access=",
        "station_access=nonsense",
        'station_access="TOKEN"',
        "station_access=TOKEN; station_access=TOKEN",
        "Station_Access=TOKEN",
        "station_refresh=TOKEN",
        "x=station_access=TOKEN",
        "station_access=TOKEN=",
        ";;;=;",
        "station_access=\xff",
    ],
)
async def test_what_is_no_cookie_of_ours_opens_nothing(rig: HttpRig, cookie: str) -> None:
    line = cookie.replace("TOKEN", await rig.token())

    answer = await rig.http.get("/api/users/me", headers=[(b"cookie", line.encode("latin-1"))])

    assert problem(answer) == (401, "unauthenticated")


async def test_a_refresh_cookie_is_no_access_and_an_access_cookie_no_refresh(rig: HttpRig) -> None:
    tokens = (await log_in(rig)).json()
    rig.http.cookies.clear()

    as_access = await rig.http.get("/api/users/me", headers={"cookie": f"station_access={tokens['refreshToken']}"})
    headers = {"cookie": f"station_refresh={tokens['accessToken']}", **page(rig)}
    as_refresh = await rig.http.post("/api/auth/refresh", headers=headers)

    assert problem(as_access) == (401, "unauthenticated")
    assert problem(as_refresh) == (401, "unauthenticated")
