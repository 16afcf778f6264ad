"""HTTP when something is wrong: with the store, with the station, with what comes over the wire."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from station_adapters.http import bodies, waiting
from station_core.errors import LinkDown, StoreFull, StoreUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import LAMP, PASSWORD, problem, serving, under_way, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.devices.ports import DeviceChange
    from station_core.journal import Batch
    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


# A store that is away, full, or silent


@pytest.mark.parametrize(
    ("trouble", "status", "why"),
    [(StoreUnavailable(), 503, "store_unavailable"), (StoreFull(), 507, "store_full")],
    ids=["away", "full"],
)
async def test_what_needs_the_store_says_what_is_wrong_with_it(
    rig: HttpRig, trouble: StoreUnavailable | StoreFull, status: int, why: str
) -> None:
    await rig.log_in(Role.OWNER)
    device_id, _ = await rig.add()
    rig.ports.store.trouble = rig.ports.identities.trouble = trouble

    answers = [
        await rig.http.post("/api/devices", json={**LAMP, "externalId": "other"}),
        await rig.http.patch(f"/api/devices/{device_id}", json={"name": "Sun"}),
        await rig.http.delete(f"/api/devices/{device_id}"),
        await rig.http.get("/api/device-events"),
        await rig.http.post("/api/auth/login", json={"email": "owner@home.example", "password": PASSWORD}),
        await rig.http.post("/api/auth/refresh", json={"refreshToken": "any"}),
        await rig.http.post("/api/auth/logout"),
    ]

    assert [problem(answer) for answer in answers] == [(status, why)] * len(answers)
    assert all("retry-after" in answer.headers for answer in answers)


async def test_without_the_store_people_still_see_and_command(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})
    await rig.home.journal.drained()
    rig.ports.store.trouble = rig.ports.identities.trouble = StoreUnavailable()

    assert (await rig.http.get("/api/devices")).status_code == 200
    assert (await rig.http.get("/api/users/me")).status_code == 200
    sent = await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})
    assert sent.status_code == 200


async def test_while_a_commit_takes_long_people_see_and_command(rig: HttpRig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.log_in()
    device_id, token = await rig.add()
    commit, done = rig.ports.store.commit, asyncio.Event()

    async def slowly(batch: Batch[DeviceChange]) -> None:
        await done.wait()
        await commit(batch)

    monkeypatch.setattr(rig.ports.store, "commit", slowly)
    report = {"state": {"on": True}}
    async with under_way(rig, "POST", "/api/device/state", json=report, headers=token) as answer:
        await until(lambda: rig.home.household.device(device_id).state)
        seen = await rig.http.get(f"/api/devices/{device_id}")
        sent = await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})
        meanwhile = answer.done()
        done.set()

    assert (seen.status_code, seen.json()["lastKnownState"]) == (200, {"on": True})
    assert sent.status_code == 200
    assert not meanwhile
    assert answer.result().status_code == 202


async def test_a_report_that_is_not_kept_in_time_is_to_be_sent_again(rig: HttpRig) -> None:
    device_id, token = await rig.add()
    rig.ports.store.trouble = StoreUnavailable()

    report = {"state": {"on": True}}
    async with under_way(rig, "POST", "/api/device/state", json=report, headers=token) as answer:
        await until(lambda: rig.home.household.device(device_id).state)
        await rig.ports.clock.advance(5)

    assert problem(answer.result()) == (503, "store_unavailable")
    assert "retry-after" in answer.result().headers


async def test_a_store_that_says_nothing_is_not_waited_for_for_ever(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.log_in()
    never = asyncio.Event()
    monkeypatch.setattr(rig.ports.store, "add", lambda *_, **__: never.wait())
    monkeypatch.setattr(waiting, "PATIENCE", 0.05)

    answer = await rig.http.post("/api/devices", json=LAMP)

    assert problem(answer) == (503, "store_unavailable")
    assert rig.home.household.devices() == []
    assert rig.home.keyring.accounts() == []


# The wire itself


async def test_a_bug_is_told_as_such_and_not_what_it_was(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.log_in()

    def bug() -> None:
        raise ZeroDivisionError("the secret is xyzzy")

    monkeypatch.setattr(rig.home.household, "devices", bug)

    answer = await rig.http.get("/api/devices")

    assert problem(answer) == (500, "internal")
    assert "xyzzy" not in answer.text
    assert "Traceback" not in answer.text
    [record] = [record for record in caplog.records if record.name == "station.http"]
    assert record.exc_info is not None
    assert (await rig.http.get("/health")).status_code == 200


async def test_every_answer_is_for_now_and_for_no_frame(rig: HttpRig) -> None:
    asked = [("GET", "/health"), ("GET", "/api/devices"), ("GET", "/nope"), ("GET", "/schema/openapi.json")]
    for method, path in [*asked, ("PUT", "/health"), ("OPTIONS", "/api/devices"), ("POST", "/api/auth/login")]:
        headers = (await rig.http.request(method, path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers


async def test_the_api_describes_itself(rig: HttpRig) -> None:
    described = (await rig.http.get("/schema/openapi.json")).json()

    assert described["openapi"].startswith("3.1")
    assert {"/api/devices", "/api/devices/{device_id}/command", "/api/device/state", "/health"} <= set(
        described["paths"]
    )
    body = described["paths"]["/api/devices"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/DeviceIn"}
    assert "http" not in json.dumps(described["paths"])


async def said(rig: HttpRig, raw: bytes) -> bytes:
    """All that comes back for these bytes, which need be no HTTP."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(raw)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: station\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: station\r\nContent-Length: x\r\n\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: station\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: station\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_malformed(rig: HttpRig, raw: bytes) -> None:
    answer = await said(rig, raw)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head
    assert json.loads(body)["code"] == "malformed"


async def test_a_body_that_breaks_off_harms_nobody(rig: HttpRig, caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: station\r\nContent-Length: 100\r\n\r\n{"
    _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(head)
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await rig.http.get("/health")).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_one_connection_serves_one_request_after_another_also_after_a_refusal(rig: HttpRig) -> None:
    big = b"POST /api/auth/login HTTP/1.1\r\nHost: station\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
    last = b"GET /health HTTP/1.1\r\nHost: station\r\nConnection: close\r\n\r\n"

    answer = await said(rig, big + last)

    assert answer.count(b"HTTP/1.1 413 ") == 1
    assert answer.endswith(b'{"status":"ok"}')


async def test_a_body_that_never_comes_is_not_waited_for_for_ever(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "WITHIN", 0.05)

    answer = await said(
        rig, b"POST /api/auth/login HTTP/1.1\r\nHost: station\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{"
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed"' in answer


async def test_a_device_that_is_removed_while_it_speaks_is_unknown(rig: HttpRig) -> None:
    device_id, token = await rig.add()
    goes_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"state":'
        await goes_on.wait()
        yield b"{}}"

    async with under_way(rig, "POST", "/api/device/state", content=body(), headers=token) as answer:
        await rig.home.household.remove(device_id)
        goes_on.set()

    assert problem(answer.result()) == (401, "unauthenticated")


async def test_an_error_that_nobody_can_act_on_is_told_as_a_bug(rig: HttpRig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.log_in()

    def lost() -> None:
        raise LinkDown("amqp://user:secret@broker")

    monkeypatch.setattr(rig.home.household, "devices", lost)

    answer = await rig.http.get("/api/devices")

    assert problem(answer) == (500, "internal")
    assert "secret" not in answer.text


async def test_a_bug_in_a_live_socket_ends_that_one_and_is_logged(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = await rig.token()

    def bug() -> None:
        raise ZeroDivisionError

    async with AsyncExitStack() as stack:
        other = await rig.opened(stack, token)
        with monkeypatch.context() as patch:
            patch.setattr(rig.hub, "snapshot", bug)
            one = await stack.enter_async_context(rig.socket(token))
            assert await one.closed() == 4500

        await other.say({"type": "ping"})
        assert await other.next() == {"type": "pong"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == ["live socket failed"]
