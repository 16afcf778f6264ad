"""A device joins over MQTT, is kept, is seen live, is commanded: with real servers, over both databases."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

import aiomqtt
import psutil
import pytest

from station_app.simulator.driver import VirtualDevice
from station_app.simulator.firmware import Phase
from station_app.simulator.link import Home
from station_app.simulator.make import Make
from tests.servers.mosquitto import Mosquitto
from tests.system.living import STATION_ID, StationProcess, eventually, station_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.system


@pytest.fixture(params=["sqlite", "postgres"])
async def station(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> AsyncIterator[StationProcess]:
    more = {"STATION_DATABASE_URL": await postgres.fresh_database()} if request.param == "postgres" else {}
    async with station_in(tmp_path, **more) as station:
        yield station


def virtual(station: StationProcess, external_id: str, token: str, kind: str = "light") -> VirtualDevice:
    make = Make(external_id=external_id, type=kind, tempo=0)
    return VirtualDevice(make, Home(host="127.0.0.1", port=station.mqtt_port, station_id=STATION_ID), token)


async def test_a_device_joins_is_kept_is_seen_live_and_is_commanded(station: StationProcess) -> None:
    added = await station.add("lamp")
    lamp = virtual(station, "lamp", added["deviceToken"])
    async with station.live() as live, asyncio.TaskGroup() as group:
        living = group.create_task(lamp.run())
        online = await live.until("device_status_changed")
        await lamp.until(lambda device: device.phase is Phase.OPERATIONAL)
        answer = await station.call("POST", f"/api/devices/{added['id']}/command?wait=5", json={"action": "toggle"})
        transition = await live.until("device_state_transition")
        living.cancel()
    device = await station.device(added["id"])
    told = [item["eventType"] for item in await station.events(added["id"])]

    assert online["status"] == "online"
    assert answer.json()["status"] == "applied"
    assert (transition["capabilityKey"], transition["oldValue"], transition["newValue"]) == ("on", False, True)
    assert device["lastKnownState"]["on"] is True
    assert {"status_changed", "command_sent", "state_transition", "event_received"} <= set(told)


async def test_it_ends_cleanly_and_finds_everything_again(station: StationProcess) -> None:
    added = await station.add("lamp")
    async with aiomqtt.Client(
        "127.0.0.1", station.mqtt_port, username="lamp", password=added["deviceToken"], identifier="lamp"
    ) as lamp:
        await lamp.publish(f"station/{STATION_ID}/device/lamp/state", b'{"state":{"on":true}}', qos=1)
        await eventually_state(station, added["id"], {"on": True})
    code = await station.stop()
    children = [p for p in psutil.process_iter(["cmdline"]) if str(station.folder) in " ".join(p.info["cmdline"] or [])]
    await station.start()
    device = await station.device(added["id"])

    assert code == 0
    assert children == []
    assert (device["lastKnownState"], device["status"]) == ({"on": True}, "offline")


async def test_interrupt_ends_it_as_cleanly(station: StationProcess) -> None:
    assert await station.stop(signal.SIGINT) == 0


async def eventually_state(station: StationProcess, device_id: str, state: dict[str, object]) -> None:
    async with asyncio.timeout(20):
        while (await station.device(device_id))["lastKnownState"] != state:
            await asyncio.sleep(0.02)


async def test_nothing_acknowledged_is_lost_when_it_is_killed_in_the_middle_of_a_stream(
    tmp_path: Path,
) -> None:
    async with Mosquitto() as broker, station_in(tmp_path, STATION_MQTT_URL=broker.url) as station:
        added = await station.add("lamp")
        sent = 0
        async with aiomqtt.Client(broker.host, broker.port) as lamp, asyncio.TaskGroup() as group:

            async def stream() -> None:
                nonlocal sent
                for n in range(600):
                    told = {"event": "user_event", "data": {"action": "press", "n": n}}
                    await lamp.publish(f"station/{STATION_ID}/device/lamp/event", json.dumps(told), qos=1)
                    sent = n + 1

            group.create_task(stream())
            await eventually(lambda: sent > 200)
            await station.kill()
            await station.start()
        await station.log_in()
        await all_events(station, added["id"], 600)
        events = [item["payload"]["data"]["n"] for item in await pressed(station, added["id"])]

    assert events == list(range(600))


async def pressed(station: StationProcess, device_id: str) -> list[dict[str, Any]]:
    return [item for item in await station.events(device_id) if item["eventType"] == "event_received"]


async def all_events(station: StationProcess, device_id: str, count: int) -> None:
    async with asyncio.timeout(20):
        while len(await pressed(station, device_id)) < count:
            await asyncio.sleep(0.05)


async def test_after_a_broker_that_was_restarted_empty_everything_goes_on(tmp_path: Path) -> None:
    async with Mosquitto() as broker, station_in(tmp_path, STATION_MQTT_URL=broker.url) as station:
        added = await station.add("lamp")
        home = Home(host=broker.host, port=broker.port, station_id=STATION_ID)
        lamp = VirtualDevice(Make(external_id="lamp", type="light", tempo=0), home)
        async with station.live() as live, asyncio.TaskGroup() as group:
            living = group.create_task(lamp.run())
            await live.until("device_status_changed")
            await broker.restart()
            down = await live.until("link_status")
            up = await live.until("link_status")
            await lamp.until(lambda device: device.phase is Phase.OPERATIONAL)
            answer = await commanded(station, added["id"])
            living.cancel()
        told = [item["payload"] for item in await station.events(added["id"]) if item["eventType"] == "status_changed"]

    assert (down["link"], down["status"], up["status"]) == ("mqtt", "down", "up")
    assert answer == "applied"
    assert told[0] == {"status": "online"}


async def commanded(station: StationProcess, device_id: str) -> str:
    """Toggle until it's applied: the device, too, comes back in its own time."""
    async with asyncio.timeout(20):
        while True:
            answer = await station.call("POST", f"/api/devices/{device_id}/command?wait=2", json={"action": "toggle"})
            if answer.status_code == 200 and answer.json()["status"] == "applied":
                return "applied"


async def test_a_database_that_is_briefly_away_loses_nothing(tmp_path: Path, postgres: Postgres) -> None:
    url = await postgres.fresh_database()
    async with (
        Mosquitto() as broker,
        station_in(tmp_path, STATION_MQTT_URL=broker.url, STATION_DATABASE_URL=url) as station,
    ):
        added = await station.add("lamp")
        async with aiomqtt.Client(broker.host, broker.port) as lamp:
            topic = f"station/{STATION_ID}/device/lamp/event"
            for n in range(50):
                told = {"event": "user_event", "data": {"action": "press", "n": n}}
                await lamp.publish(topic, json.dumps(told), qos=1)
                if n == 10:
                    await postgres.stop()
            refused = await station.call("POST", "/api/devices", json={"externalId": "x", "name": "X", "type": "pir"})
            read = await station.device(added["id"])
            await postgres.start()
        await all_events(station, added["id"], 50)
        events = [item["payload"]["data"]["n"] for item in await pressed(station, added["id"])]

    assert refused.status_code == 503
    assert refused.json()["code"] == "store_unavailable"
    assert "retry-after" in refused.headers
    assert read["externalId"] == "lamp"
    assert events == list(range(50))
