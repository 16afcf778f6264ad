"""Who and what is turned away before anything of it is read: status and code of docs/protocols.md §4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from station_core.identity.model import Role
from tests.unit.http.problems import DEVICE, NOBODY, refused

if TYPE_CHECKING:
    from tests.contract.http_rig import HttpRig


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/devices"),
        ("POST", "/api/devices"),
        ("GET", f"/api/devices/{NOBODY}"),
        ("PATCH", f"/api/devices/{NOBODY}"),
        ("DELETE", f"/api/devices/{NOBODY}"),
        ("POST", f"/api/devices/{NOBODY}/command"),
        ("GET", f"/api/devices/{NOBODY}/events"),
        ("GET", "/api/device-events"),
        ("GET", "/api/device-types"),
        ("GET", "/api/users/me"),
        ("POST", "/api/device/state"),
        ("POST", "/api/device/events"),
        ("POST", "/api/auth/logout"),
    ],
)
async def test_nobody_gets_in_without_a_credential(rig: HttpRig, method: str, path: str) -> None:
    answer = await rig.http.request(method, path)

    refused(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Basic dXNlcjpwYXNz")],
        [(b"authorization", b"Bearer nonsense")],
        [(b"authorization", b"Bearer a.b.c")],
        [(b"authorization", "Bearer pâté".encode())],
        [(b"authorization", b"Bearer \xff\xfe")],
        [(b"authorization", b"Bearer " + b"x" * 10_000)],
        [(b"x-device-token", b"nonsense")],
    ],
)
async def test_what_is_no_access_token_is_refused(rig: HttpRig, headers: list[tuple[bytes, bytes]]) -> None:
    refused(await rig.http.get("/api/devices", headers=headers), 401, "unauthenticated")


async def test_a_credential_that_is_there_twice_says_nothing(rig: HttpRig) -> None:
    token = (await rig.token()).encode()
    twice = [(b"authorization", b"Bearer " + token)] * 2

    refused(await rig.http.get("/api/devices", headers=twice), 401, "unauthenticated")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-device-token", b"")],
        [(b"x-device-token", b"nonsense")],
        [(b"device-token", "pâté".encode())],
        [(b"x-device-token", b"\xff\xfe")],
        [(b"authorization", b"Bearer nonsense")],
    ],
)
async def test_what_is_no_device_token_is_refused(rig: HttpRig, headers: list[tuple[bytes, bytes]]) -> None:
    answer = await rig.http.post("/api/device/state", json={"state": {}}, headers=headers)

    refused(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/devices", DEVICE),
        ("PATCH", f"/api/devices/{NOBODY}", {"name": "Hall"}),
        ("DELETE", f"/api/devices/{NOBODY}", None),
    ],
)
async def test_a_member_changes_no_devices(rig: HttpRig, method: str, path: str, body: Any) -> None:
    await rig.log_in(Role.MEMBER)

    refused(await rig.http.request(method, path, json=body), 403, "forbidden")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/api/devices/{NOBODY}", None),
        ("GET", "/api/devices/%00", None),
        ("GET", "/api/devices/%ff%fe", None),
        ("PATCH", f"/api/devices/{NOBODY}", {"name": "Hall"}),
        ("DELETE", f"/api/devices/{NOBODY}", None),
        ("POST", f"/api/devices/{NOBODY}/command", {"action": "toggle"}),
        ("POST", f"/api/devices/{NOBODY}/command?wait=1", {"action": "toggle"}),
        ("GET", f"/api/devices/{NOBODY}/events", None),
    ],
)
async def test_a_device_that_nobody_has_is_unknown(rig: HttpRig, method: str, path: str, body: Any) -> None:
    await rig.log_in()

    refused(await rig.http.request(method, path, json=body), 404, "device_unknown")


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/nope", "/favicon.ico", "/ws", "/schema/nope", "/api/devices/1/2/3"]
)
async def test_a_path_that_is_not_there_is_not_found(rig: HttpRig, path: str) -> None:
    refused(await rig.http.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/devices", "GET, OPTIONS, POST"),
        ("POST", f"/api/devices/{NOBODY}", "DELETE, GET, OPTIONS, PATCH"),
        ("GET", "/api/auth/login", "OPTIONS, POST"),
    ],
)
async def test_another_method_is_told_which_there_are(rig: HttpRig, method: str, path: str, allowed: str) -> None:
    answer = await rig.http.request(method, path)

    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/api/devices", "/api/device/state", "/api/users/me"])
@pytest.mark.parametrize("method", ["OPTIONS", "HEAD"])
async def test_nobody_is_asked_for_a_credential_by_options_and_head(rig: HttpRig, path: str, method: str) -> None:
    answer = await rig.http.request(method, path)

    assert answer.status_code in {204, 405}
