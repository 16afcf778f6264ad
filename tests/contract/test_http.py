"""What people and devices get by HTTP (docs/protocols.md §4), from a real server over a home in memory."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.http import waiting
from station_adapters.memory.clock import settled
from station_adapters.memory.link import SentCommand
from station_core.errors import BrokerUnavailable, StoreFull, StoreUnavailable
from station_core.health import MQTT, STORE, Phase
from station_core.identity.model import Role
from tests.contract.http_rig import PASSWORD, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.contract.http_rig import HttpRig

ANNA = {"email": "Anna@Home.example", "password": "correct horse", "name": "Anna"}
LAMP = {"externalId": "lamp", "name": "Lamp", "type": "light"}
AT = "2026-01-01T00:00:00Z"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@asynccontextmanager
async def under_way(rig: HttpRig, method: str, path: str, **more: Any) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A request whose answer isn't there yet."""
    async with asyncio.TaskGroup() as group:
        yield group.create_task(rig.http.request(method, path, **more))


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
        assert code(answer) == (503, "starting")
        assert answer.headers["retry-after"] == "1"
    assert (await rig.http.get("/health/live")).status_code == 200
    assert code(await rig.http.get("/health/ready")) == (503, "starting")


async def test_at_the_end_nothing_new_is_taken_on(rig: HttpRig) -> None:
    rig.home.health.phase = Phase.STOPPING

    for path in ("/health", "/api/devices", "/health/ready"):
        assert code(await rig.http.get(path)) == (503, "unavailable")
    assert (await rig.http.get("/health/startup")).status_code == 200


@pytest.mark.parametrize(("part", "why"), [(STORE, "store_unavailable"), (MQTT, "broker_unavailable")])
async def test_a_station_without_store_or_broker_is_not_ready_and_lives(rig: HttpRig, part: str, why: str) -> None:
    rig.home.health.tell(part, up=False, detail="refused by 10.0.0.7")

    answer = await rig.http.get("/health/ready")

    assert code(answer) == (503, why)
    assert answer.json()["parts"][part] == {"up": False}
    assert "retry-after" in answer.headers
    assert (await rig.http.get("/health")).status_code == 200


async def test_other_parts_are_told_and_change_nothing(rig: HttpRig) -> None:
    rig.home.health.tell("cloud", up=False, detail="no route")

    answer = await rig.http.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "parts": {"store": {"up": True}, "mqtt": {"up": True}, "cloud": {"up": False}},
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
    assert code(await rig.http.post("/api/auth/register", json=ANNA)) == (403, "registration_closed")


async def test_of_several_who_register_at_once_one_wins(rig: HttpRig) -> None:
    people = [{**ANNA, "email": f"{n}@home.example"} for n in range(5)]

    answers = await asyncio.gather(*(rig.http.post("/api/auth/register", json=one) for one in people))

    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403, 403]
    assert {code(answer)[1] for answer in answers if answer.status_code != 201} == {"registration_closed"}


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
    assert code(await rig.http.get("/api/users/me", headers=bearer)) == (401, "unauthenticated")


async def test_a_refresh_token_that_was_used_ends_its_session(rig: HttpRig) -> None:
    first = (await rig.http.post("/api/auth/register", json=ANNA)).json()
    second = (await rig.http.post("/api/auth/refresh", json={"refreshToken": first["refreshToken"]})).json()

    stolen = await rig.http.post("/api/auth/refresh", json={"refreshToken": first["refreshToken"]})

    assert code(stolen) == (401, "unauthenticated")
    bearer = {"authorization": f"Bearer {second['accessToken']}"}
    assert code(await rig.http.get("/api/users/me", headers=bearer)) == (401, "unauthenticated")
    again = await rig.http.post("/api/auth/refresh", json={"refreshToken": second["refreshToken"]})
    assert code(again) == (401, "unauthenticated")


@pytest.mark.parametrize("body", [None, {}])
async def test_without_a_refresh_token_it_is_the_bearer_who_logs_out(rig: HttpRig, body: Any) -> None:
    await rig.log_in()

    out = await rig.http.post("/api/auth/logout", json=body)

    assert out.status_code == 204
    assert code(await rig.http.get("/api/users/me")) == (401, "unauthenticated")


async def test_who_has_logged_out_may_do_so_again(rig: HttpRig) -> None:
    ending = {"refreshToken": (await rig.http.post("/api/auth/register", json=ANNA)).json()["refreshToken"]}

    outs = [await rig.http.post("/api/auth/logout", json=ending) for _ in range(2)]

    assert [out.status_code for out in outs] == [204, 204]


# Devices


async def test_a_device_is_added_with_a_token_that_is_shown_this_once(rig: HttpRig) -> None:
    await rig.log_in()

    added = await rig.http.post("/api/devices", json=LAMP)

    device = added.json()
    token = device.pop("deviceToken")
    assert added.status_code == 201
    assert device == {
        "id": device["id"],
        "externalId": "lamp",
        "name": "Lamp",
        "type": "light",
        "status": "offline",
        "lastKnownState": {},
        "zoneId": None,
        "firmwareVersion": None,
        "chip": None,
        "lastHeartbeatAt": None,
        "createdAt": AT,
        "updatedAt": AT,
    }
    assert (await rig.http.get("/api/devices")).json() == [device]
    assert (await rig.http.get(f"/api/devices/{device['id']}")).json() == device
    assert rig.ports.door.admitted == {"lamp": rig.ports.door.digest(token)}


async def test_an_external_id_is_given_once(rig: HttpRig) -> None:
    await rig.log_in()

    answers = await asyncio.gather(*(rig.http.post("/api/devices", json=LAMP) for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {code(a)[1] for a in answers if a.status_code == 409} == {"external_id_taken"}


async def test_a_device_goes_into_a_zone_that_is_there(rig: HttpRig) -> None:
    await rig.log_in()
    rig.ports.store.zones.add("kitchen")

    there = await rig.http.post("/api/devices", json={**LAMP, "zoneId": "kitchen"})
    nowhere = await rig.http.post("/api/devices", json={**LAMP, "externalId": "other", "zoneId": "attic"})

    assert there.json()["zoneId"] == "kitchen"
    assert code(nowhere) == (404, "not_found")


async def test_of_a_device_only_what_is_named_is_changed(rig: HttpRig) -> None:
    await rig.log_in(Role.ADMIN)
    rig.ports.store.zones.add("kitchen")
    device_id, _ = await rig.add()
    path = f"/api/devices/{device_id}"

    moved = (await rig.http.patch(path, json={"zoneId": "kitchen", "status": "online", "id": "x"})).json()
    renamed = (await rig.http.patch(path, json={"name": " Sun "})).json()
    nowhere = (await rig.http.patch(path, json={"zoneId": None})).json()

    assert [(d["name"], d["zoneId"], d["status"]) for d in (moved, renamed, nowhere)] == [
        ("Lamp", "kitchen", "offline"),
        ("Sun", "kitchen", "offline"),
        ("Sun", None, "offline"),
    ]
    assert code(await rig.http.patch(path, json={"name": None})) == (400, "malformed")
    assert code(await rig.http.patch(path, json={"zoneId": "attic"})) == (404, "not_found")


async def test_a_device_that_is_removed_is_gone_and_its_token_with_it(rig: HttpRig) -> None:
    await rig.log_in(Role.ADMIN)
    device_id, token = await rig.add()

    removed = await rig.http.delete(f"/api/devices/{device_id}")

    assert (removed.status_code, removed.content) == (204, b"")
    assert (await rig.http.get("/api/devices")).json() == []
    assert code(await rig.http.delete(f"/api/devices/{device_id}")) == (404, "device_unknown")
    report = await rig.http.post("/api/device/state", json={"state": {}}, headers=token)
    assert code(report) == (401, "unauthenticated")


async def test_a_member_reads_and_commands(rig: HttpRig) -> None:
    await rig.log_in(Role.MEMBER)
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})
    await rig.home.journal.drained()

    for path in ("/api/devices", f"/api/devices/{device_id}", "/api/device-types", "/api/device-events"):
        assert (await rig.http.get(path)).status_code == 200
    sent = await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})
    assert sent.status_code == 200


async def test_the_types_are_told_as_a_plain_array(rig: HttpRig) -> None:
    await rig.log_in()

    kinds = (await rig.http.get("/api/device-types")).json()

    assert [kind["id"] for kind in kinds] == ["climate", "pir", "switch-pir", "light"]


# Commands


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"action": "toggle"}, {"action": "toggle"}),
        ({"command": {"action": "toggle"}}, {"action": "toggle"}),
        ({"action": "set_brightness", "brightness": 75}, {"action": "set_brightness", "brightness": 75}),
        ({"command": {"action": "set_brightness", "brightness": 75}}, {"action": "set_brightness", "brightness": 75}),
        ({"action": "reboot"}, {"action": "reboot"}),
    ],
)
async def test_a_command_is_sent_once_the_broker_has_it(rig: HttpRig, body: Any, command: Any) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})

    answer = await rig.http.post(f"/api/devices/{device_id}/command", json=body)

    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "commandId"}
    assert answer.json()["status"] == "sent"
    assert rig.ports.link.commands == [SentCommand("memory", "lamp", command)]


async def test_a_command_to_a_device_that_is_away_is_not_sent(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()

    answer = await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})

    assert code(answer) == (409, "device_offline")


async def test_a_command_without_a_broker_is_not_sent(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})
    rig.ports.link.trouble = BrokerUnavailable()

    answer = await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})

    assert code(answer) == (503, "broker_unavailable")
    assert "retry-after" in answer.headers


async def test_who_waits_hears_that_the_device_did_it(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})

    path = f"/api/devices/{device_id}/command?wait=30"
    async with under_way(rig, "POST", path, json={"action": "toggle"}) as answer:
        await until(lambda: rig.ports.link.commands)
        await settled()
        rig.home.devices.report_state("lamp", {"on": True})

    assert answer.result().json()["status"] == "applied"


async def test_who_waits_in_vain_hears_that_it_was_sent(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})

    path = f"/api/devices/{device_id}/command?wait=2.5"
    async with under_way(rig, "POST", path, json={"action": "toggle"}) as answer:
        await until(lambda: rig.ports.link.commands)
        await rig.ports.clock.advance(2.5)

    assert answer.result().json()["status"] == "sent"


# The feed


async def test_the_feed_is_read_page_by_page_newest_first(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    await rig.add("pir", "pir")
    for n in range(5):
        rig.home.devices.receive_event("lamp", "user_event", {"action": f"press {n}"})
    rig.home.devices.receive_event("pir", "user_event", {"action": "other"})
    await rig.home.journal.drained()

    read: list[dict[str, Any]] = []
    cursor: str | None = None
    while read == [] or cursor is not None:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await rig.http.get(f"/api/devices/{device_id}/events", params=query)).json()
        assert set(page) == {"items", "nextCursor"}
        read += page["items"]
        cursor = page["nextCursor"]

    assert [item["eventType"] for item in read] == ["event_received"] * 5 + ["status_changed"]
    assert [item["payload"]["data"]["action"] for item in read[:5]] == [f"press {n}" for n in range(4, -1, -1)]
    assert read[0] == {
        "id": read[0]["id"],
        "deviceId": device_id,
        "deviceName": "Lamp",
        "deviceType": "light",
        "eventType": "event_received",
        "payload": {"event": "user_event", "data": {"action": "press 4"}},
        "createdAt": AT,
    }


async def test_the_feed_of_all_can_be_asked_for_one_that_is_gone(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    await rig.add("pir", "pir")
    rig.home.devices.receive_event("lamp", "user_event", {"action": "press"})
    rig.home.devices.receive_event("pir", "user_event", {"action": "other"})
    await rig.home.journal.drained()
    await rig.home.household.remove(device_id)

    all_items = (await rig.http.get("/api/device-events")).json()["items"]
    of_one = (await rig.http.get("/api/device-events", params={"deviceId": device_id})).json()["items"]

    assert len(all_items) == 4
    assert [item["deviceName"] for item in of_one] == ["Lamp", "Lamp"]


# Devices' side


@pytest.mark.parametrize("header", ["X-Device-Token", "Device-Token"])
async def test_what_a_device_reports_is_kept_when_it_hears_so(rig: HttpRig, header: str) -> None:
    await rig.log_in()
    device_id, token = await rig.add()
    headers = {header: token["X-Device-Token"]}

    state = await rig.http.post("/api/device/state", json={"state": {"on": True, "new": None}}, headers=headers)
    told = {"event": "user_event", "data": {"action": "press", "times": 2}}
    event = await rig.http.post("/api/device/events", json=told, headers=headers)

    assert (state.status_code, event.status_code) == (202, 202)
    device = (await rig.http.get(f"/api/devices/{device_id}")).json()
    assert (device["status"], device["lastKnownState"]) == ("online", {"on": True, "new": None})
    [newest, _] = (await rig.http.get(f"/api/devices/{device_id}/events")).json()["items"]
    assert newest["payload"] == told
    stored = (await rig.ports.store.load()).devices
    assert [dict(kept.state) for kept in stored] == [{"on": True, "new": None}]


async def test_a_report_that_would_grow_the_state_beyond_its_bounds_is_refused_whole(rig: HttpRig) -> None:
    device_id, token = await rig.add()
    reports = [{"state": {f"{part}-{n}": n for n in range(80)}} for part in range(2)]

    first, second = [await rig.http.post("/api/device/state", json=report, headers=token) for report in reports]

    assert first.status_code == 202
    assert code(second) == (400, "malformed")
    assert len(rig.home.household.device(device_id).state) == 80


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

    assert [code(answer) for answer in answers] == [(status, why)] * len(answers)
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


async def test_a_report_that_is_not_kept_in_time_is_to_be_sent_again(rig: HttpRig) -> None:
    device_id, token = await rig.add()
    rig.ports.store.trouble = StoreUnavailable()

    report = {"state": {"on": True}}
    async with under_way(rig, "POST", "/api/device/state", json=report, headers=token) as answer:
        await until(lambda: rig.home.household.device(device_id).state)
        await rig.ports.clock.advance(5)

    assert code(answer.result()) == (503, "store_unavailable")
    assert "retry-after" in answer.result().headers


async def test_a_store_that_says_nothing_is_not_waited_for_for_ever(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.log_in()
    never = asyncio.Event()
    monkeypatch.setattr(rig.ports.store, "add", lambda *_: never.wait())
    monkeypatch.setattr(waiting, "PATIENCE", 0.05)

    answer = await rig.http.post("/api/devices", json=LAMP)

    assert code(answer) == (503, "store_unavailable")
    assert rig.home.household.devices() == []
    assert rig.home.keyring.accounts() == []


# The wire itself


async def test_a_bug_is_told_as_such_and_not_what_it_was(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.log_in()

    def bug() -> None:
        raise ZeroDivisionError("the secret is 42")

    monkeypatch.setattr(rig.home.household, "devices", bug)

    answer = await rig.http.get("/api/devices")

    assert code(answer) == (500, "internal")
    assert "42" not in answer.text
    assert "Traceback" not in answer.text
    [record] = [record for record in caplog.records if record.name == "station.http"]
    assert record.exc_info is not None
    assert (await rig.http.get("/health")).status_code == 200


async def test_every_answer_is_for_now_and_for_no_frame(rig: HttpRig) -> None:
    for path in ("/health", "/api/devices", "/nope", "/schema/openapi.json"):
        headers = (await rig.http.get(path)).headers
        assert headers["cache-control"] == "no-store"
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
