"""A database that is absent, stops or stalls: memory serves, what must be kept waits, nothing is lost."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from station_adapters.mqtt.intake import FULL_AT
from station_core.journal import JOURNAL_BOUND
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.system.living import StationProcess
from tests.system.telling import RECOVERED_WITHIN, kept, living, numbers, ready, recovered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

WAITING: Final = re.compile(r"^station_(?:intake_messages|journal_changes) (\d+)", re.MULTILINE)
LOCK_HOLDERS: Final = "FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.fixture
async def server() -> AsyncIterator[Postgres]:
    """A server of the test's own: it's stopped and stalled here."""
    async with Postgres() as server:
        yield server


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


@pytest.mark.parametrize(("away", "seconds"), [("stopped", 10.0), ("stalled", 5.0)])
async def test_while_the_database_is_away_memory_serves_and_nothing_is_lost(
    tmp_path: Path, server: Postgres, away: str, seconds: float
) -> None:
    async with living(tmp_path, server) as (station, writer, lamp), asyncio.TaskGroup() as group:
        listening = asyncio.Event()
        hearing = group.create_task(writer.listen(listening))
        await listening.wait()
        enough = asyncio.Event()
        telling = group.create_task(writer.go_on(enough))
        over = asyncio.get_running_loop().time() + seconds
        if away == "stopped":
            await server.stop()
        else:
            server.pause()
        async with asyncio.timeout(20):
            while (await ready(station))["http"] == 200:
                await asyncio.sleep(0.1)
        read = await station.device(lamp)
        sent = await station.call("POST", f"/api/devices/{lamp}/command", json={"action": "toggle"})
        refused = await station.call("POST", "/api/devices", json={"externalId": "x", "name": "X", "type": "pir"})
        told = await ready(station)
        await asyncio.sleep(max(0.0, over - asyncio.get_running_loop().time()))  # so long is it away
        if away == "stopped":
            await server.start()
        else:
            server.resume()
        enough.set()
        await telling
        await recovered(station, lamp, writer.sent)
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
    assert writer.sent > 500
    assert order == list(range(writer.sent))


async def test_what_finds_no_room_meanwhile_waits_in_the_broker_though_the_station_is_killed(
    tmp_path: Path, server: Postgres
) -> None:
    async with living(tmp_path, server) as (station, writer, lamp):
        await server.stop()
        await writer.flood(FULL_AT + JOURNAL_BOUND)
        waiting = 0
        async with asyncio.timeout(20):
            while waiting < FULL_AT + JOURNAL_BOUND // 2:
                waiting = sum(map(int, WAITING.findall(await station.figures())))
                await asyncio.sleep(0.1)
        await station.kill()
        await station.start(healthy=False)
        await server.start()
        await station.healthy()
        await recovered(station, lamp, writer.sent, 30)
        order = await numbers(station, lamp)

    assert waiting < writer.sent
    assert order == list(range(writer.sent))


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
