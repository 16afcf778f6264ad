"""The feed's filters, entity tags, credentials and gzip by HTTP (docs/protocols.md §4), from a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.errors import BrokerUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import LAMP, PASSWORD, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig

NOWHERE = "00000000-0000-4000-8000-000000000007"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


async def test_the_feed_is_filtered_by_device_kind_zone_and_time(rig: HttpRig) -> None:
    await rig.log_in()
    zone = (await rig.http.post("/api/zones", json={"name": "Hall"})).json()["id"]
    lamp, _ = await rig.add("lamp")
    await rig.add("other")
    await rig.http.patch(f"/api/devices/{lamp}", json={"zoneId": zone})
    for name in ("lamp", "other"):
        rig.home.devices.report_state(name, {"on": False})
        rig.home.devices.report_state(name, {"on": True})
    await rig.home.journal.drained()

    async def kinds(**query: object) -> list[str]:
        answer = await rig.http.get("/api/device-events", params=query)  # type: ignore[arg-type]  # as the tests name
        assert answer.status_code == 200, answer.text
        return [item["eventType"] for item in answer.json()["items"]]

    assert len(await kinds()) == 6
    assert await kinds(deviceId=lamp, eventType="state_transition") == ["state_transition"]
    assert await kinds(zoneId=zone, eventType=["state_transition", "status_changed"]) == [
        "state_transition",
        "status_changed",
    ]
    assert len(await kinds(**{"from": "2026-01-01T01:00:00+01:00", "to": "2026-01-01T00:00:01Z"})) == 6
    assert await kinds(to="2026-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query",
    ["eventType=nonsense", "from=yesterday", "to=2026-01-01T00:00:00", "from=", "to=9999-12-31T23:59:59-14:00"],
)
async def test_a_filter_that_makes_no_sense_is_malformed(rig: HttpRig, query: str) -> None:
    await rig.log_in()

    assert problem(await rig.http.get(f"/api/device-events?{query}")) == (400, "malformed")


async def test_a_zone_that_isnt_there_has_no_feed(rig: HttpRig) -> None:
    await rig.log_in()

    assert problem(await rig.http.get("/api/device-events", params={"zoneId": NOWHERE})) == (404, "not_found")


async def test_who_holds_the_device_already_is_told_so_until_it_changes(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    path = f"/api/devices/{device_id}"
    tag = (await rig.http.get(path)).headers["etag"]

    same = await rig.http.get(path, headers={"if-none-match": f'"other", W/{tag}'})
    any_one = await rig.http.get(path, headers={"if-none-match": "*"})
    rig.home.devices.report_state("lamp", {"on": True})
    changed = await rig.http.get(path, headers={"if-none-match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert any_one.status_code == 304
    assert (changed.status_code, changed.json()["lastKnownState"]) == (200, {"on": True})
    assert changed.headers["etag"] != tag


async def test_of_two_who_change_what_they_read_the_second_is_stale(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    path = f"/api/devices/{device_id}"
    tag = (await rig.http.get(path)).headers["etag"]
    rig.home.devices.report_state("lamp", {"on": True})

    first = await rig.http.patch(path, json={"name": "First"}, headers={"if-match": tag})
    second = await rig.http.patch(path, json={"name": "Second"}, headers={"if-match": tag})
    third = await rig.http.patch(path, json={"name": "Third"}, headers={"if-match": first.headers["etag"]})

    assert (first.status_code, first.json()["lastKnownState"]) == (200, {"on": True})
    assert problem(second) == (412, "stale")
    assert third.json()["name"] == "Third"
    for nonsense in ("nonsense", "", f"W/{third.headers['etag']}", '"none of ours"'):
        assert problem(await rig.http.patch(path, json={"name": "x"}, headers={"if-match": nonsense})) == (412, "stale")
    assert (await rig.http.patch(path, json={"name": "Any"}, headers={"if-match": "*"})).status_code == 200


async def test_a_device_whose_credentials_are_revoked_is_let_in_nowhere_and_stays(rig: HttpRig) -> None:
    await rig.log_in(Role.ADMIN)
    device_id, token = await rig.add()
    path = f"/api/devices/{device_id}/credentials"

    revoked = await rig.http.delete(path)
    report = await rig.http.post("/api/device/state", json={"state": {}}, headers=token)

    assert (revoked.status_code, revoked.content) == (204, b"")
    assert problem(report) == (401, "unauthenticated")
    assert rig.ports.door.admitted == {}
    assert (await rig.http.get(f"/api/devices/{device_id}")).status_code == 200
    assert (await rig.http.delete(path)).status_code == 204
    assert problem(await rig.http.delete(f"/api/devices/{NOWHERE}/credentials")) == (404, "device_unknown")
    await rig.log_in(Role.MEMBER)
    assert problem(await rig.http.delete(path)) == (403, "forbidden")


async def test_a_device_gets_a_fresh_token_once_it_has_none(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, former = await rig.add()
    path = f"/api/devices/{device_id}/credentials"
    report: dict[str, object] = {"state": {}}
    assert problem(await rig.http.post(path)) == (409, "conflict")
    assert (await rig.http.post("/api/device/state", json=report, headers=former)).status_code == 202
    await rig.http.delete(path)
    rig.ports.door.trouble = BrokerUnavailable()
    assert problem(await rig.http.post(path)) == (503, "broker_unavailable")
    rig.ports.door.trouble = None

    renewed = await rig.http.post(path)
    fresh = {"X-Device-Token": renewed.json()["deviceToken"]}

    assert renewed.status_code == 201
    assert rig.ports.door.admitted == {"lamp": rig.ports.door.digest(fresh["X-Device-Token"])}
    assert problem(await rig.http.post("/api/device/state", json=report, headers=former)) == (401, "unauthenticated")
    assert (await rig.http.post("/api/device/state", json=report, headers=fresh)).status_code == 202


async def test_long_answers_are_packed_and_short_ones_not(rig: HttpRig) -> None:
    await rig.log_in()
    short = await rig.http.get("/api/devices")
    for n in range(10):
        await rig.add(f"lamp-{n}")
    packed = await rig.http.get("/api/devices")
    plain = await rig.http.get("/api/devices", headers={"accept-encoding": "identity"})

    assert "content-encoding" not in short.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers.get("vary", packed.headers["vary"]).lower()
    assert packed.json() == plain.json()


async def test_what_carries_a_token_or_an_etag_is_never_packed(rig: HttpRig) -> None:
    await rig.log_in()
    added = await rig.http.post("/api/devices", json={**LAMP, "name": "x" * 100})
    rig.home.devices.report_state("lamp", {"note": "x" * 4_000})
    one = await rig.http.get(f"/api/devices/{added.json()['id']}")
    login = await rig.http.post("/api/auth/login", json={"email": "owner@home.example", "password": PASSWORD})

    assert len(one.content) > 4_000
    assert [answer for answer in (added, one, login) if "content-encoding" in answer.headers] == []
