"""Zones by HTTP (docs/protocols.md §4), from a real server over a home in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.errors import StoreUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import LAMP, problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig

NOWHERE = "00000000-0000-4000-8000-000000000007"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


async def made(rig: HttpRig, name: str) -> str:
    answer = await rig.http.post("/api/zones", json={"name": name})
    assert answer.status_code == 201, answer.text
    zone_id: str = answer.json()["id"]
    return zone_id


async def test_a_zone_is_made_read_renamed_and_removed(rig: HttpRig) -> None:
    await rig.log_in(Role.ADMIN)

    added = await rig.http.post("/api/zones", json={"name": "  Kitchen "})
    zone = added.json()
    path = f"/api/zones/{zone['id']}"
    read = await rig.http.get(path)
    renamed = await rig.http.patch(path, json={"name": "kitchen"})
    removed = await rig.http.delete(path)

    assert (added.status_code, zone) == (201, {"id": zone["id"], "name": "Kitchen"})
    assert read.json() == zone
    assert (renamed.status_code, renamed.json()) == (200, {"id": zone["id"], "name": "kitchen"})
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await rig.http.get("/api/zones")).json() == {"items": [], "nextCursor": None}


async def test_zones_are_listed_by_name_page_by_page(rig: HttpRig) -> None:
    await rig.log_in()
    for name in ("hall", "Attic", "garden"):
        await made(rig, name)

    first = (await rig.http.get("/api/zones", params={"limit": 2})).json()
    await rig.http.delete(f"/api/zones/{first['items'][1]['id']}")
    second = (await rig.http.get("/api/zones", params={"limit": 2, "cursor": first["nextCursor"]})).json()

    assert [zone["name"] for zone in first["items"]] == ["Attic", "garden"]
    assert ([zone["name"] for zone in second["items"]], second["nextCursor"]) == (["hall"], None)


@pytest.mark.parametrize("cursor", ["!", "abc", "_w==", "a" * 5_000])
async def test_a_cursor_that_is_none_of_ours_is_malformed(rig: HttpRig, cursor: str) -> None:
    await rig.log_in()

    assert problem(await rig.http.get("/api/zones", params={"cursor": cursor})) == (400, "malformed")


async def test_a_name_is_borne_once_and_no_longer_than_it_may_be(rig: HttpRig) -> None:
    await rig.log_in()
    await made(rig, "Kitchen")
    hall = await made(rig, "Hall")

    assert problem(await rig.http.post("/api/zones", json={"name": "KITCHEN"})) == (409, "zone_name_taken")
    assert problem(await rig.http.patch(f"/api/zones/{hall}", json={"name": "kitchen "})) == (409, "zone_name_taken")
    for name in ("", "  ", "x" * 65, "a\0", 5, None):
        assert problem(await rig.http.post("/api/zones", json={"name": name})) == (400, "malformed")
    await made(rig, "x" * 64)


async def test_devices_move_in_and_are_told_when_their_zone_goes(rig: HttpRig) -> None:
    await rig.log_in()
    kitchen, hall = await made(rig, "Kitchen"), await made(rig, "Hall")
    lamp = (await rig.http.post("/api/devices", json={**LAMP, "zoneId": kitchen})).json()["id"]
    other, _ = await rig.add("other")
    await rig.http.patch(f"/api/devices/{other}", json={"zoneId": hall})

    inside = (await rig.http.get(f"/api/zones/{kitchen}/devices")).json()
    filtered = (await rig.http.get("/api/devices", params={"zoneId": kitchen})).json()
    async with rig.socket(await rig.token()) as socket:
        assert (await socket.next())["type"] == "snapshot"
        await rig.http.delete(f"/api/zones/{kitchen}")
        told = await socket.next()

    assert [device["id"] for device in inside] == [lamp]
    assert filtered == inside
    assert (told["type"], told["device"]["id"], told["device"]["zoneId"]) == ("device_updated", lamp, None)
    assert (await rig.http.get(f"/api/devices/{lamp}")).json()["zoneId"] is None
    assert (await rig.http.get(f"/api/devices/{other}")).json()["zoneId"] == hall


async def test_a_zone_that_isnt_there_is_not_found(rig: HttpRig) -> None:
    await rig.log_in()
    for zone_id in (NOWHERE, "attic"):
        for answer in (
            await rig.http.get(f"/api/zones/{zone_id}"),
            await rig.http.get(f"/api/zones/{zone_id}/devices"),
            await rig.http.get("/api/devices", params={"zoneId": zone_id}),
            await rig.http.patch(f"/api/zones/{zone_id}", json={"name": "x"}),
            await rig.http.delete(f"/api/zones/{zone_id}"),
        ):
            assert problem(answer) == (404, "not_found")


async def test_a_member_reads_zones_and_changes_none(rig: HttpRig) -> None:
    await rig.log_in()
    zone_id = await made(rig, "Kitchen")
    await rig.log_in(Role.MEMBER)

    assert (await rig.http.get("/api/zones")).json()["items"] == [{"id": zone_id, "name": "Kitchen"}]
    for answer in (
        await rig.http.post("/api/zones", json={"name": "Hall"}),
        await rig.http.patch(f"/api/zones/{zone_id}", json={"name": "Hall"}),
        await rig.http.delete(f"/api/zones/{zone_id}"),
    ):
        assert problem(answer) == (403, "forbidden")


async def test_without_the_store_no_zone_is_made(rig: HttpRig) -> None:
    await rig.log_in()
    rig.ports.store.trouble = StoreUnavailable()
    refused = await rig.http.post("/api/zones", json={"name": "Hall"})
    rig.ports.store.trouble = None

    assert problem(refused) == (503, "store_unavailable")
    assert (await rig.http.get("/api/zones")).json()["items"] == []
