"""A database that is absent, stops, stalls or has no room: memory serves, what must be kept waits, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
import httpx
import pytest

from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.servers.small_disk import fill, make_room, mounted, small_disk
from tests.system.living import STATION_ID, StationProcess, station_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

RECOVERED_WITHIN: Final = 10.0  # seconds from the database's return
LOCK_HOLDERS: Final = "FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.fixture
async def server() -> AsyncIterator[Postgres]:
    """A server of the test's own: it's stopped and stalled here."""
    async with Postgres() as server:
        yield server


class Writer:
    """A device that tells numbered events at QoS 1, and answers commands by nothing."""

    def __init__(self, station: StationProcess, broker: Mosquitto) -> None:
        self._station = station
        self._broker = broker
        self.sent = 0
        self.commands = 0

    async def tell(self, count: int) -> None:
        topic = f"station/{STATION_ID}/device/lamp/event"
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            for _ in range(count):
                told = {"event": "user_event", "data": {"action": "press", "n": self.sent}}
                await client.publish(topic, json.dumps(told), qos=1)
                self.sent += 1

    async def listen(self, ready: asyncio.Event) -> None:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            await client.subscribe(f"station/{STATION_ID}/device/lamp/command", qos=1)
            ready.set()
            async for _ in client.messages:
                self.commands += 1


@asynccontextmanager
async def living(folder: Path, server: Postgres) -> AsyncIterator[tuple[StationProcess, Writer, str]]:
    """A station over the server, with one device that has spoken."""
    async with Mosquitto() as broker:
        more = {"STATION_MQTT_URL": broker.url, "STATION_DATABASE_URL": await server.fresh_database()}
        async with station_in(folder, **more) as station:
            added = await station.add("lamp")
            writer = Writer(station, broker)
            await writer.tell(1)
            await kept(station, added["id"], 1)
            yield station, writer, added["id"]


async def numbers(station: StationProcess, device_id: str) -> list[int]:
    events = await station.events(device_id)
    return [item["payload"]["data"]["n"] for item in events if item["eventType"] == "event_received"]


async def kept(station: StationProcess, device_id: str, count: int, within: float = 30) -> None:
    async with asyncio.timeout(within):
        while len(await numbers(station, device_id)) < count:
            await asyncio.sleep(0.05)


async def ready(station: StationProcess) -> dict[str, Any]:
    answer = await station.call("GET", "/health/ready")
    return {"http": answer.status_code, **answer.json()}


async def test_a_station_starts_before_its_database(tmp_path: Path, server: Postgres) -> None:
    url = await server.fresh_database()
    await server.stop()
    async with Mosquitto() as broker:
        station = StationProcess(tmp_path, {"STATION_MQTT_URL": broker.url, "STATION_DATABASE_URL": url})
        try:
            await station.start(healthy=False)
            waiting = await answered(station, "/health/ready")
            refused = await answered(station, "/api/devices")
            await server.start()
            await station.healthy(RECOVERED_WITHIN)
            await station.log_in()
            code = await station.stop()
        finally:
            await station.kill()

    assert waiting.status_code == 503
    assert not waiting.json()["parts"]["store"]["up"]
    assert (refused.status_code, refused.json()["code"]) == (503, "starting")
    assert refused.headers["retry-after"] == "1"
    assert code == 0


async def answered(station: StationProcess, path: str) -> httpx.Response:
    """The first answer, once the process listens and has tried its database."""
    async with asyncio.timeout(15):
        while True:
            with suppress(httpx.TransportError):
                answer = await station.call("GET", path)
                if path != "/health/ready" or "store" in answer.json()["parts"]:
                    return answer
            await asyncio.sleep(0.05)


async def test_a_station_without_its_database_ends_cleanly_too(tmp_path: Path, server: Postgres) -> None:
    url = await server.fresh_database()
    await server.stop()
    async with Mosquitto() as broker:
        station = StationProcess(tmp_path, {"STATION_MQTT_URL": broker.url, "STATION_DATABASE_URL": url})
        try:
            await station.start(healthy=False)
            await answered(station, "/health/ready")
            code = await station.stop()
        finally:
            await station.kill()

    assert code == 0


@pytest.mark.parametrize("away", ["stopped", "stalled"])
async def test_while_the_database_is_away_memory_serves_and_nothing_is_lost(
    tmp_path: Path, server: Postgres, away: str
) -> None:
    async with living(tmp_path, server) as (station, writer, lamp), asyncio.TaskGroup() as group:
        listening = asyncio.Event()
        hearing = group.create_task(writer.listen(listening))
        await listening.wait()
        if away == "stopped":
            await server.stop()
        else:
            server.pause()
        await writer.tell(200)
        async with asyncio.timeout(20):
            while (await ready(station))["http"] == 200:
                await asyncio.sleep(0.1)
        read = await station.device(lamp)
        sent = await station.call("POST", f"/api/devices/{lamp}/command", json={"action": "toggle"})
        refused = await station.call("POST", "/api/devices", json={"externalId": "x", "name": "X", "type": "pir"})
        told = await ready(station)
        if away == "stopped":
            await server.start()
        else:
            server.resume()
        await kept(station, lamp, 201, RECOVERED_WITHIN)
        async with asyncio.timeout(RECOVERED_WITHIN):
            while (await ready(station))["http"] != 200:
                await asyncio.sleep(0.1)
        again = await station.call("POST", "/api/devices", json={"externalId": "x", "name": "X", "type": "pir"})
        order = await numbers(station, lamp)
        hearing.cancel()

    assert read["externalId"] == "lamp"
    assert sent.status_code == 200
    assert writer.commands == 1
    assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    assert "retry-after" in refused.headers
    assert (told["http"], told["parts"]["store"]["up"]) == (503, False)
    assert again.status_code == 201
    assert order == list(range(201))


async def test_a_database_whose_lock_is_back_but_that_takes_nothing_is_not_told_as_up(
    tmp_path: Path, server: Postgres
) -> None:
    async with living(tmp_path, server) as (station, writer, lamp), station.live() as live:
        await server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await server.execute("SELECT pg_reload_conf()")
        await writer.tell(1)
        down = await live.until("link_status", 20)
        await server.execute(f"SELECT pg_terminate_backend(pid) {LOCK_HOLDERS}")
        async with asyncio.timeout(RECOVERED_WITHIN):
            while not await server.fetch(f"SELECT pid {LOCK_HOLDERS}"):
                await asyncio.sleep(0.05)
        refused = await station.call("POST", "/api/devices", json={"externalId": "x", "name": "X", "type": "pir"})
        told = await ready(station)
        await server.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await server.execute("SELECT pg_reload_conf()")
        up = await live.until("link_status", 20)
        await kept(station, lamp, 2, RECOVERED_WITHIN)
        recovered = await ready(station)

    assert (down["link"], down["status"]) == ("store", "down")
    assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    assert (told["http"], told["parts"]["store"]["up"]) == (503, False)
    assert "read-only" in told["parts"]["store"]["detail"]
    assert (up["link"], up["status"]) == ("store", "up")
    assert recovered["http"] == 200


async def lived_through(
    station: StationProcess, writer: Writer, lamp: str, ballast: Path
) -> tuple[httpx.Response, httpx.Response, dict[str, Any], dict[str, Any]]:
    """A full disk, until there is room again: what was refused, what was sent, what was read, and what /health said."""
    fill(ballast)
    async with asyncio.timeout(60):
        while True:
            body = {"externalId": f"x{writer.sent}", "name": "X" * 90, "type": "pir"}
            refused = await station.call("POST", "/api/devices", json=body)
            if refused.status_code != 201:
                break
            await writer.tell(20)
    await writer.tell(200)
    async with asyncio.timeout(20):
        while (told := await ready(station))["http"] == 200:
            await asyncio.sleep(0.1)
    read = await station.device(lamp)
    sent = await station.call("POST", f"/api/devices/{lamp}/command", json={"action": "toggle"})
    make_room(ballast)
    await kept(station, lamp, writer.sent, RECOVERED_WITHIN)
    async with asyncio.timeout(RECOVERED_WITHIN):
        while (await ready(station))["http"] != 200:
            await asyncio.sleep(0.1)
    return refused, sent, read, told


async def test_on_a_full_disk_reads_and_control_go_on_and_it_recovers_when_there_is_room(tmp_path: Path) -> None:
    if os.geteuid() != 0 and "CI" not in os.environ:
        pytest.skip("only root may mount a small disk; CI does")
    with mounted(tmp_path / "data", "12m") as data:
        async with Mosquitto() as broker, station_in(tmp_path, STATION_MQTT_URL=broker.url) as station:
            added = await station.add("lamp")
            writer = Writer(station, broker)
            await writer.tell(1)
            await kept(station, added["id"], 1)
            refused, sent, read, told = await lived_through(station, writer, added["id"], data / "ballast")
            order = await numbers(station, added["id"])
            code = await station.stop()

    assert (refused.status_code, refused.json()["code"]) == (507, "store_full")
    assert "retry-after" in refused.headers
    assert read["externalId"] == "lamp"
    assert sent.status_code == 200
    assert not told["parts"]["store"]["up"]
    assert order == list(range(writer.sent))
    assert code == 0


async def test_the_disk_of_postgresql_fills_up_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk("160m") as disk:
        async with Postgres(disk=disk) as server, living(tmp_path, server) as (station, writer, lamp):
            refused, sent, read, told = await lived_through(station, writer, lamp, disk / "ballast")
            again = await station.call("POST", "/api/devices", json={"externalId": "x", "name": "X", "type": "pir"})
            order = await numbers(station, lamp)
            code = await station.stop()

    assert (refused.status_code, refused.json()["code"]) == (507, "store_full")
    assert "retry-after" in refused.headers
    assert read["externalId"] == "lamp"
    assert sent.status_code == 200
    assert not told["parts"]["store"]["up"]
    assert again.status_code == 201
    assert order == list(range(writer.sent))
    assert code == 0
