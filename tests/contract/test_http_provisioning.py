"""Provisioning over REST, and what the live socket tells of it (docs/protocols.md §2, §4)."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from station_core.devices.model import Introduction
from station_core.errors import StoreUnavailable
from station_core.identity.model import Role
from station_core.provisioning.errors import WriteRefused
from station_core.provisioning.model import Known, Sighting
from tests.contract.http_rig import AT, problem, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.contract.http_rig import HttpRig

PIR = Sighting(address="AA:00", external_id="a1b2c3", device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60)
WANTED = {"externalId": "a1b2c3", "name": "Hall"}
WIFI = {"ssid": "home", "password": "canary-password"}
AGENT = "the agent's own token"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving(is_agent=AGENT.__eq__) as rig:
        rig.home.lookout.take("somebody")
        await until(lambda: rig.ports.radio.scanning)
        rig.ports.radio.advertise(PIR)
        await rig.log_in()
        yield rig


async def ended(rig: HttpRig, begun: httpx.Response, step: str) -> dict[str, Any]:
    """The provisioning, once it has come to this step."""
    path = f"/api/device/provisioning/{begun.json()['id']}"
    told: dict[str, Any] = {}
    await until(lambda: rig.home.provisioning.attempt(begun.json()["id"]).step == step)
    told = (await rig.http.get(path)).json()
    assert told["step"] == step
    return told


@pytest.mark.parametrize("path", ["/provisioning/add", "/api/device/provisioning/add"])
async def test_a_device_is_provisioned_and_every_step_is_told(rig: HttpRig, path: str) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    async with AsyncExitStack() as stack:
        admin = await rig.opened(stack, await rig.token(Role.ADMIN))
        await admin.say({"type": "provisioning_stop"})
        member = await rig.opened(stack, await rig.token(Role.MEMBER))
        begun = await rig.http.post(path, json=WANTED)
        await ended(rig, begun, "waiting_for_handshake")
        rig.home.devices.handshake("a1b2c3", Introduction(type="pir", firmware_version="1"), station_id="memory")
        told = await ended(rig, begun, "done")
        heard = [await admin.next()]
        while heard[-1].get("step") != "done":
            heard.append(await admin.next())
        await member.say({"type": "ping"})
        quiet = await member.until("pong")

    assert begun.status_code == 202
    assert begun.json() == {
        "id": told["id"], "externalId": "a1b2c3", "step": "looking", "createdAt": AT,
    }  # fmt: skip
    [device] = (await rig.http.get("/api/devices")).json()
    assert told["deviceId"] == device["id"]
    progress = [message for message in heard if message["type"] == "provisioning_progress"]
    assert [message["step"] for message in progress] == [
        "looking", "found", "connecting", "connected", "written", "waiting_for_handshake", "done",
    ]  # fmt: skip
    assert progress[0] == {
        "type": "provisioning_progress",
        "provisioningId": told["id"],
        "externalId": "a1b2c3",
        "step": "looking",
    }
    assert not [message for message in quiet if message["type"].startswith("provisioning")]


async def test_a_failure_is_told_by_its_code(rig: HttpRig) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    rig.ports.radio.refusals["AA:00"] = WriteRefused()
    begun = await rig.http.post("/provisioning/add", json=WANTED)

    assert (await ended(rig, begun, "failed"))["code"] == "write_refused"


async def test_of_two_people_the_second_hears_409(rig: HttpRig) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    await rig.http.post("/provisioning/add", json=WANTED)

    assert problem(await rig.http.post("/provisioning/add", json=WANTED)) == (409, "provisioning_busy")


async def test_a_cancelled_one_leaves_nothing(rig: HttpRig) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    begun = await rig.http.post("/provisioning/add", json=WANTED)
    await ended(rig, begun, "waiting_for_handshake")
    cancelled = await rig.http.delete(f"/api/device/provisioning/{begun.json()['id']}")

    assert cancelled.status_code == 204
    await ended(rig, begun, "cancelled")
    assert (await rig.http.get("/api/devices")).json() == []


async def test_a_location_is_a_zone_that_is_made_when_there_is_none(rig: HttpRig) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    for n, location in enumerate(["Attic", " attic "]):
        wanted = {"externalId": f"x{n}", "name": "Hall", "location": location}
        assert (await rig.http.post("/provisioning/add", json=wanted)).status_code == 202

    [zone] = (await rig.http.get("/api/zones")).json()["items"]
    assert zone["name"] == "Attic"
    assert {rig.home.provisioning._attempts[key].zone_id for key in rig.home.provisioning._attempts} == {zone["id"]}


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [
        ({"externalId": "a/b", "name": "Hall"}, (400, "external_id_invalid")),
        ({"externalId": "#", "name": "Hall"}, (400, "external_id_invalid")),
        ({"externalId": "a1b2c3"}, (400, "malformed")),
        ({"externalId": "a1b2c3", "name": ""}, (400, "malformed")),
        ({"externalId": 7, "name": "Hall"}, (400, "malformed")),
        ({**WANTED, "zoneId": "nowhere"}, (404, "not_found")),
    ],
)
async def test_bad_input_is_refused(rig: HttpRig, wanted: dict[str, Any], verdict: tuple[int, str]) -> None:
    assert problem(await rig.http.post("/provisioning/add", json=wanted)) == verdict


async def test_members_may_not_and_strangers_neither(rig: HttpRig) -> None:
    asked = [
        ("POST", "/provisioning/add"),
        ("GET", "/api/device/provisioning/x"),
        ("DELETE", "/api/device/provisioning/x"),
        ("GET", "/api/device/provisioning/candidates"),
        ("GET", "/api/wifi"),
        ("PUT", "/api/wifi"),
    ]
    await rig.log_in(Role.MEMBER)
    for method, path in asked:
        assert problem(await rig.http.request(method, path, json=WIFI)) == (403, "forbidden")
    del rig.http.headers["authorization"]
    for method, path in asked:
        assert problem(await rig.http.request(method, path, json=WIFI)) == (401, "unauthenticated")


async def test_what_is_not_there_is_404(rig: HttpRig) -> None:
    assert problem(await rig.http.get("/api/device/provisioning/x")) == (404, "not_found")
    assert problem(await rig.http.delete("/api/device/provisioning/x")) == (404, "not_found")


async def test_the_network_s_password_is_never_read_back(rig: HttpRig) -> None:
    assert (await rig.http.get("/api/wifi")).json() == {"ssid": None}
    told = await rig.http.put("/api/wifi", json=WIFI)

    assert told.json() == (await rig.http.get("/api/wifi")).json() == {"ssid": "home"}


@pytest.mark.parametrize("body", [{"ssid": "", "password": ""}, {"ssid": "x", "password": "short"}, {"ssid": "x"}])
async def test_a_network_that_no_radio_knows_is_refused(rig: HttpRig, body: dict[str, str]) -> None:
    assert problem(await rig.http.put("/api/wifi", json=body)) == (400, "malformed")


async def test_the_agent_tells_the_network_with_its_own_token(rig: HttpRig) -> None:
    owner = await rig.http.post("/api/settings/agent", json=WIFI)
    rig.http.headers["authorization"] = f"Bearer {AGENT}"
    agent = await rig.http.post("/api/settings/agent", json=WIFI)

    assert problem(owner) == (401, "unauthenticated")
    assert agent.json() == {"ssid": "home"}
    assert json.dumps(WIFI) not in agent.text
    assert (await rig.ports.provisioning.wifi()) is not None


async def test_while_the_store_is_away_the_network_is_not_taken(rig: HttpRig) -> None:
    rig.ports.provisioning.trouble = StoreUnavailable()

    assert problem(await rig.http.put("/api/wifi", json=WIFI)) == (503, "store_unavailable")


@pytest.mark.parametrize("wanted", [{"externalId": "a/b", "name": "Hall"}, {"externalId": "x", "name": " "}])
async def test_what_is_refused_makes_no_zone(rig: HttpRig, wanted: dict[str, str]) -> None:
    refused = await rig.http.post("/provisioning/add", json={**wanted, "location": "Attic"})

    assert refused.status_code == 400
    assert (await rig.http.get("/api/zones")).json()["items"] == []


async def test_a_device_of_the_household_is_provisioned_again_and_stays_what_it_is(rig: HttpRig) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    device_id, former = await rig.add("a1b2c3", "pir")
    begun = await rig.http.post(
        "/provisioning/add", json={"externalId": "a1b2c3", "name": "Other", "location": "Attic"}
    )
    await ended(rig, begun, "waiting_for_handshake")
    both = await rig.http.post("/api/device/state", json={"state": {}}, headers=former)
    rig.home.devices.handshake("a1b2c3", Introduction(type="pir", firmware_version="1"), station_id="memory")
    await ended(rig, begun, "done")
    after = await rig.http.post("/api/device/state", json={"state": {}}, headers=former)

    assert begun.json()["deviceId"] == device_id
    assert (both.status_code, after.status_code) == (202, 401)
    [device] = (await rig.http.get("/api/devices")).json()
    assert (device["id"], device["name"], device["zoneId"]) == (device_id, "A1B2C3", None)
    assert (await rig.http.get("/api/zones")).json()["items"] == []


async def test_one_that_is_online_is_provisioned_again_by_choice_alone(rig: HttpRig) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    _, token = await rig.add("a1b2c3", "pir")
    await rig.http.post("/api/device/state", json={"state": {}}, headers=token)
    by_accident = await rig.http.post("/provisioning/add", json=WANTED)
    by_choice = await rig.http.post("/provisioning/add", json={**WANTED, "again": True})

    assert problem(by_accident) == (409, "external_id_taken")
    assert by_choice.status_code == 202
    await ended(rig, by_choice, "waiting_for_handshake")
