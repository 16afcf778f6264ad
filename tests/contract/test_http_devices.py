"""Devices by HTTP (docs/protocols.md §4), from a real server over a home in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from station_core.devices.zones import Zone
from station_core.identity.model import Role
from tests.contract.http_rig import AT, LAMP, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


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
    assert {problem(a)[1] for a in answers if a.status_code == 409} == {"external_id_taken"}


async def test_a_device_goes_into_a_zone_that_is_there(rig: HttpRig) -> None:
    await rig.log_in()
    await rig.ports.store.add_zone(Zone(id="kitchen", name="kitchen"))

    there = await rig.http.post("/api/devices", json={**LAMP, "zoneId": "kitchen"})
    nowhere = await rig.http.post("/api/devices", json={**LAMP, "externalId": "other", "zoneId": "attic"})

    assert there.json()["zoneId"] == "kitchen"
    assert problem(nowhere) == (404, "not_found")


async def test_of_a_device_only_what_is_named_is_changed(rig: HttpRig) -> None:
    await rig.log_in(Role.ADMIN)
    await rig.ports.store.add_zone(Zone(id="kitchen", name="kitchen"))
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
    assert problem(await rig.http.patch(path, json={"name": None})) == (400, "malformed")
    assert problem(await rig.http.patch(path, json={"zoneId": "attic"})) == (404, "not_found")


async def test_a_device_that_is_removed_is_gone_and_its_token_with_it(rig: HttpRig) -> None:
    await rig.log_in(Role.ADMIN)
    device_id, token = await rig.add()

    removed = await rig.http.delete(f"/api/devices/{device_id}")

    assert (removed.status_code, removed.content) == (204, b"")
    assert (await rig.http.get("/api/devices")).json() == []
    assert problem(await rig.http.delete(f"/api/devices/{device_id}")) == (404, "device_unknown")
    report = await rig.http.post("/api/device/state", json={"state": {}}, headers=token)
    assert problem(report) == (401, "unauthenticated")


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
    assert problem(second) == (400, "malformed")
    assert len(rig.home.household.device(device_id).state) == 80
