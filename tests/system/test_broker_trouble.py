"""A broker that hangs, is half gone, refuses, or accepts and closes: found in time, told, no storm, nobody offline."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from station_adapters.mqtt.client import KEEP_ALIVE
from station_app.simulator.driver import VirtualDevice
from station_app.simulator.firmware import Phase
from station_app.simulator.link import Home
from station_app.simulator.make import Make
from tests.servers.fault_proxy import FaultProxy
from tests.servers.mosquitto import Mosquitto
from tests.system.living import STATION_ID, LiveSocket, StationProcess, station_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

FOUND_WITHIN: Final = 1.5 * KEEP_ALIVE + 3.5  # seconds, with what a busy machine adds; paho alone takes two of them


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[StationProcess, Mosquitto, FaultProxy, LiveSocket, str]]:
    """A station that reaches its broker through a proxy, with one device that is online."""
    async with Mosquitto() as broker, FaultProxy(broker.host, broker.port) as proxy:
        url = f"mqtt://127.0.0.1:{proxy.port}"
        async with station_in(folder, STATION_MQTT_URL=url) as station, asyncio.TaskGroup() as group:
            added = await station.add("lamp")
            home = Home(host=broker.host, port=broker.port, station_id=STATION_ID)
            lamp = VirtualDevice(Make(external_id="lamp", type="light", tempo=0), home)
            async with station.live() as live:
                living = group.create_task(lamp.run())
                await lamp.until(lambda device: device.phase is Phase.OPERATIONAL)
                await live.until("device_status_changed")
                try:
                    yield station, broker, proxy, live, added["id"]
                finally:
                    living.cancel()


async def link_status(live: LiveSocket, within: float = FOUND_WITHIN) -> str:
    """What the station tells next of its link to the broker."""
    async with asyncio.timeout(within):
        while (told := await live.until("link_status", within=within))["link"] != "mqtt":
            pass
        return str(told["status"])


async def offline_told(station: StationProcess, device_id: str) -> list[object]:
    events = await station.events(device_id)
    return [item["payload"]["status"] for item in events if item["eventType"] == "status_changed"]


@pytest.mark.parametrize("trouble", ["hung", "half open", "swallowed"])
async def test_a_silent_broker_is_found_within_one_and_a_half_keep_alives(tmp_path: Path, trouble: str) -> None:
    async with house(tmp_path) as (station, broker, proxy, live, lamp):
        match trouble:
            case "hung":
                broker.pause()
            case "half open":
                proxy.half_open("upstream")
                await proxy.refuse()  # the broker itself is well: the station would be back before it's asked
            case _:
                proxy.down.swallowing = True
        down = await link_status(live)
        ready = await station.call("GET", "/health/ready")
        command = await station.call("POST", f"/api/devices/{lamp}/command", json={"action": "toggle"})
        broker.resume()
        if trouble == "half open":
            proxy.accept()
        proxy.down.swallowing = False
        up = await link_status(live, 60)
        again = await station.call("POST", f"/api/devices/{lamp}/command?wait=5", json={"action": "toggle"})
        told = await offline_told(station, lamp)

    assert (down, up) == ("down", "up")
    assert (ready.status_code, ready.json()["parts"]["mqtt"]["up"]) == (503, False)
    assert (command.status_code, command.json()["code"]) == (503, "broker_unavailable")
    assert again.json()["status"] == "applied"
    assert told == ["online"]


async def test_a_broker_that_refuses_is_asked_again_until_it_doesn_t(tmp_path: Path) -> None:
    async with house(tmp_path) as (station, _, proxy, live, lamp):
        await proxy.refuse()
        await proxy.reset()
        down = await link_status(live)
        ready = await station.call("GET", "/health/ready")
        proxy.accept()
        up = await link_status(live)
        told = await offline_told(station, lamp)

    assert (down, up) == ("down", "up")
    assert (ready.status_code, ready.json()["parts"]["mqtt"]["up"]) == (503, False)
    assert told == ["online"]


async def test_a_broker_that_accepts_and_closes_at_once_is_met_with_patience(tmp_path: Path) -> None:
    async with house(tmp_path) as (station, _, proxy, live, _lamp):
        met = 0
        fifth = asyncio.Event()

        async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal met
            met += 1
            if met == 5:
                fifth.set()
            writer.close()

        await proxy.refuse()
        await proxy.cut()
        await link_status(live)
        began = asyncio.get_running_loop().time()
        async with await asyncio.start_server(close, "127.0.0.1", proxy.port):
            async with asyncio.timeout(60):
                await fifth.wait()
            took = asyncio.get_running_loop().time() - began
            health = await station.call("GET", "/health")
            ready = await station.call("GET", "/health/ready")
        proxy.accept()
        up = await link_status(live)

    assert took > 1  # doubling from 0.1 s: five meetings at full speed would take none
    assert (health.status_code, ready.status_code) == (200, 503)
    assert up == "up"


async def test_while_its_own_broker_hangs_nobody_new_comes_in_and_who_is_removed_is_gone(tmp_path: Path) -> None:
    async with station_in(tmp_path) as station:
        added = await station.add("lamp")
        [pid] = [int(path.read_text()) for path in (station.folder / "data").rglob("pid")]
        os.kill(pid, signal.SIGSTOP)
        body = {"externalId": "x", "name": "X", "type": "pir"}
        try:
            refused = await station.call("POST", "/api/devices", json=body)
            removed = await station.call("DELETE", f"/api/devices/{added['id']}")
            left = await station.call("GET", "/api/devices")
        finally:
            os.kill(pid, signal.SIGCONT)
        again = await station.call("POST", "/api/devices", json=body)

    assert (refused.status_code, refused.json()["code"]) == (503, "broker_unavailable")
    assert "retry-after" in refused.headers
    assert removed.status_code == 204
    assert left.json() == []
    assert again.status_code == 201
