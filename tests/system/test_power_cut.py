"""A power cut in a building: the broker comes back empty, and 500 devices at once; bench/power_cut.py measures it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from station_app.simulator.firmware import Phase
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.system.living import STATION_ID, station_in

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

DEVICES: Final = 500
READY_WITHIN: Final = 30.0  # seconds
RATE: Final = 0.1  # reports a second of each device: all report within ten seconds
COMMANDED: Final = 50


async def all_ready(http: httpx.AsyncClient, fleet: Fleet, since: datetime) -> None:
    """Return when the station is ready and has heard of each, and seen its state, since then."""
    await fleet.until_all(Phase.OPERATIONAL)
    while True:
        ready, devices = await http.get("/health/ready"), (await http.get("/api/devices")).json()
        heard = [device for device in devices if device["status"] == "online" and is_since(since, device)]
        if ready.status_code == 200 and len(heard) == DEVICES:
            return
        await asyncio.sleep(0.1)


def is_since(since: datetime, device: dict[str, Any]) -> bool:
    times = [device["lastHeartbeatAt"], device["updatedAt"]]
    return bool(device["lastKnownState"]) and all(datetime.fromisoformat(time) > since for time in times)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_five_hundred_devices_that_come_back_at_once_are_ready_in_half_a_minute(
    database: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        broker = await stack.enter_async_context(Mosquitto())
        more = {"STATION_MQTT_URL": broker.url}
        if database == "postgres":
            more["STATION_DATABASE_URL"] = await (await stack.enter_async_context(Postgres())).fresh_database()
        station = await stack.enter_async_context(station_in(tmp_path, **more))
        members = [(f"d{n}", "climate" if n % 2 else "light", None) for n in range(DEVICES)]
        people = {"Authorization": f"Bearer {station.token}"}
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=station.url, headers=people, timeout=15))
        bodies = [{"externalId": external_id, "name": external_id, "type": kind} for external_id, kind, _ in members]
        ids = [(await http.post("/api/devices", json=body)).json()["id"] for body in bodies]
        fleet = Fleet.of(members, Home(host=broker.host, port=broker.port, station_id=STATION_ID), rate=RATE)
        living = group.create_task(fleet.run())
        async with asyncio.timeout(READY_WITHIN):
            await all_ready(http, fleet, datetime.now(UTC) - timedelta(minutes=5))
        await broker.kill()
        for device in fleet:
            await device.until(lambda device: device.phase is not Phase.OPERATIONAL)
        since = datetime.now(UTC)
        await broker.start()
        async with asyncio.timeout(READY_WITHIN):
            await all_ready(http, fleet, since)
        toggles = [f"/api/devices/{light}/command?wait=5" for light in ids[: 2 * COMMANDED : 2]]
        sent = await asyncio.gather(*(http.post(path, json={"action": "toggle"}) for path in toggles))
        shown = (await http.get("/api/devices")).json()
        query = {"eventType": "status_changed", "limit": "500"}
        first = (await http.get("/api/device-events", params=query)).json()
        rest = (await http.get("/api/device-events", params=query | {"cursor": first["nextCursor"] or "0"})).json()
        living.cancel()

    changes = first["items"] + rest["items"]
    assert [answer.json()["status"] for answer in sent] == ["applied"] * COMMANDED
    assert sorted(device["id"] for device in shown) == sorted(ids)
    assert Counter((event["deviceId"], event["payload"]["status"]) for event in changes) == Counter(
        (device_id, "online") for device_id in ids
    )
