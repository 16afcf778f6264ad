"""What is said and can't be taken: status and code of docs/protocols.md §4, and always problem+json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.http.problems import DEVICE, refused

if TYPE_CHECKING:
    from tests.contract.http_rig import HttpRig

OWNER = {"email": "anna@home.example", "password": "correct horse"}
SURROGATE = b'{"name":"\\ud800"}'
OVER_64_KIB = json.dumps({"state": {str(n): "x" * 4_000 for n in range(17)}}).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "missing"),
        (b"{", "truncated"),
        (b"nope", "JSON"),
        (b"\xff\xfe\x00", "JSON"),
        (SURROGATE, ""),
        (b"[" * 60_000, ""),
        (b'{"externalId":' * 4_000, ""),
        (b"[]", "Expected `object`"),
        (b'"lamp"', "Expected `object`"),
        (json.dumps({**DEVICE, "name": 5}).encode(), "name: Expected `str`"),
        (json.dumps({**DEVICE, "name": None}).encode(), "name: Expected `str`"),
        (json.dumps({**DEVICE, "type": ["pir"]}).encode(), "type: Expected `str`"),
        (json.dumps({**DEVICE, "zoneId": 7}).encode(), "zoneId: Expected `str | null`"),
        (json.dumps({**DEVICE, "zoneId": "a\0b"}).encode(), "U+0000"),
        (json.dumps({**DEVICE, "name": ""}).encode(), "name"),
        (json.dumps({**DEVICE, "name": " "}).encode(), "name"),
        (json.dumps({**DEVICE, "name": "x" * 101}).encode(), "name"),
        (json.dumps({**DEVICE, "name": "a\0b"}).encode(), "U+0000"),
        (json.dumps({**DEVICE, "type": "a type"}).encode(), "type"),
        (json.dumps({"name": "Hall", "type": "pir"}).encode(), "`externalId`"),
        (json.dumps({"externalId": "pir", "name": "Hall"}).encode(), "`type`"),
    ],
)
async def test_a_device_that_is_described_badly_is_not_added(rig: HttpRig, body: bytes, says: str) -> None:
    await rig.log_in()

    answer = await rig.http.post("/api/devices", content=body)

    assert says in refused(answer, 400, "malformed")["detail"]
    assert rig.home.household.devices() == []


@pytest.mark.parametrize("external_id", ["", "+", "#", "a/b", "-lamp", "lamp ", "lämp", "x" * 65, "a\0b"])
async def test_an_id_that_could_be_a_topic_filter_is_none(rig: HttpRig, external_id: str) -> None:
    await rig.log_in()

    answer = await rig.http.post("/api/devices", json={**DEVICE, "externalId": external_id})

    refused(answer, 400, "external_id_invalid")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/device-events?limit=0", "limit"),
        ("/api/device-events?limit=501", "limit"),
        ("/api/device-events?limit=-1", "limit"),
        ("/api/device-events?limit=x", "limit"),
        ("/api/device-events?limit=", "limit"),
        ("/api/device-events?limit=1.5", "limit"),
        ("/api/device-events?limit=99999999999999999999999999", "limit"),
        ("/api/device-events?cursor=nope", "cursor"),
        ("/api/device-events?cursor=%00", "U+0000"),
        ("/api/device-events?cursor=" + "1" * 4_097, "4096"),
        ("/api/device-events?deviceId=%00", "U+0000"),
    ],
)
async def test_a_page_that_cannot_be_is_malformed(rig: HttpRig, path: str, says: str) -> None:
    await rig.log_in()

    assert says in refused(await rig.http.get(path), 400, "malformed")["detail"]


@pytest.mark.parametrize(
    "command",
    [
        {},
        {"action": None},
        {"action": 5},
        {"action": "dance"},
        {"action": "toggle", "speed": 3},
        {"action": "set_brightness"},
        {"action": "set_brightness", "brightness": "75"},
        {"action": "set_brightness", "brightness": 101},
        {"action": "set_brightness", "brightness": 75.5},
        {"action": "set_brightness", "brightness": True},
        {"action": "set_brightness", "brightness": 2**63},
        {"action": "toggle", "command": {"action": "toggle"}},
        {"command": "toggle"},
        {"command": {}},
        {"command": {"action": "dance"}},
        {"action": "ota_update", "url": "a\0b", "version": "1", "firmware_id": "1"},
    ],
)
@pytest.mark.parametrize("wait", ["", "?wait=1"])
async def test_a_command_that_the_type_does_not_know_is_invalid(rig: HttpRig, command: Any, wait: str) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()

    answer = await rig.http.post(f"/api/devices/{device_id}/command{wait}", json=command)

    refused(answer, 400, "command_invalid")
    assert rig.ports.link.commands == []


@pytest.mark.parametrize("wait", ["-1", "31", "nan", "inf", "x", ""])
async def test_nobody_waits_for_ever(rig: HttpRig, wait: str) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()

    answer = await rig.http.post(f"/api/devices/{device_id}/command?wait={wait}", json={"action": "toggle"})

    assert "wait" in refused(answer, 400, "malformed")["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("state", b'{"state":{"t":NaN}}'),
        ("state", b'{"state":{"t":1e999}}'),
        ("state", b'{"state":{"t":9223372036854775808}}'),
        ("state", b'{"state":{"t":-9223372036854775808}}'),
        ("state", b'{"state":{"t":"a\\u0000b"}}'),
        ("state", b'{"state":{"a\\u0000b":1}}'),
        ("state", b'{"state":{"t":"\\udc00"}}'),
        ("state", json.dumps({"state": {"t": "x" * 4_097}}).encode()),
        ("state", json.dumps({"state": {str(n): n for n in range(129)}}).encode()),
        ("state", b'{"state":{"t":' + b"[" * 33 + b"]" * 33 + b"}}"),
        ("state", b'{"state":[]}'),
        ("state", b'{"state":null}'),
        ("state", b"{}"),
        ("events", b'{"event":"device_event"}'),
        ("events", b'{"event":"party","data":{"action":"x"}}'),
        ("events", b'{"event":"device_event","data":{}}'),
        ("events", b'{"event":"device_event","data":{"action":5}}'),
        ("events", b'{"event":5,"data":{"action":"x"}}'),
        ("events", b'{"event":"device_event","data":{"action":"a\\u0000b"}}'),
    ],
)
async def test_what_no_wire_takes_from_a_device_is_malformed(rig: HttpRig, path: str, body: bytes) -> None:
    _, token = await rig.add()

    refused(await rig.http.post(f"/api/device/{path}", content=body, headers=token), 400, "malformed")


@pytest.mark.parametrize(
    "body",
    [
        {**OWNER, "email": "nobody"},
        {**OWNER, "email": "a\0@b.c"},
        {**OWNER, "email": "x" * 255 + "@b.c"},
        {**OWNER, "password": "short"},
        {**OWNER, "password": "a\0bcdefgh"},
        {**OWNER, "password": "x" * 1_025},
        {**OWNER, "name": "a\0b"},
        {**OWNER, "name": 5},
        {"email": OWNER["email"]},
    ],
)
async def test_nobody_registers_like_this(rig: HttpRig, body: Any) -> None:
    refused(await rig.http.post("/api/auth/register", json=body), 400, "malformed")
    assert rig.home.access.registration_open


@pytest.mark.parametrize(
    "body",
    [
        {"email": "nobody@home.example", "password": "correct horse"},
        {"email": "owner@home.example", "password": "wrong horse"},
        {"email": "a\0", "password": "\0"},
        {"email": "", "password": ""},
        {"email": "x" * 10_000, "password": "x" * 10_000},
    ],
)
async def test_who_is_not_known_does_not_log_in(rig: HttpRig, body: Any) -> None:
    await rig.token()

    refused(await rig.http.post("/api/auth/login", json=body), 401, "unauthenticated")


async def test_a_refresh_token_of_nobody_is_refused(rig: HttpRig) -> None:
    answer = await rig.http.post("/api/auth/refresh", json={"refreshToken": "päté\0"})

    refused(answer, 401, "unauthenticated")


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/logout", "/api/device/state"])
async def test_a_body_over_64_kib_is_too_large(rig: HttpRig, path: str) -> None:
    _, token = await rig.add()

    refused(await rig.http.post(path, content=OVER_64_KIB, headers=token), 413, "too_large")


async def test_a_body_is_too_large_also_when_it_did_not_say_so(rig: HttpRig) -> None:
    async def pieces() -> Any:
        for _ in range(17):
            yield b" " * 4_096

    refused(await rig.http.post("/api/auth/login", content=pieces()), 413, "too_large")


async def test_a_host_that_is_none_is_malformed(rig: HttpRig) -> None:
    refused(await rig.http.get("/health", headers={"host": "a b"}), 400, "malformed")
