"""A database whose disk is really full: reads and control go on, writes are refused, nothing is lost or there twice."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest

from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.servers.small_disk import fill, make_room, mounted, small_disk
from tests.system.living import station_in
from tests.system.telling import Writer, living, numbers, ready, recovered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.living import StationProcess

pytestmark = pytest.mark.system


@dataclass(kw_only=True)
class Household:
    """What people and devices do meanwhile, and how each was answered."""

    station: StationProcess
    writer: Writer
    lamp: str
    meter: dict[str, Any]
    added: list[str]

    async def refused(self) -> httpx.Response:
        """A person adds devices, and is told at last that no more can be kept."""
        async with asyncio.timeout(60):
            while True:
                name = f"x{self.writer.sent}-{len(self.added)}"
                body = {"externalId": name, "name": "X" * 90, "type": "pir"}
                answer = await self.station.call("POST", "/api/devices", json=body)
                if answer.status_code != 201:
                    return answer
                self.added.append(name)
                await self.writer.tell(20)

    async def report(self, state: dict[str, Any]) -> httpx.Response:
        """A device reports by HTTP."""
        async with httpx.AsyncClient(base_url=self.station.url, timeout=15) as http:
            token = {"X-Device-Token": self.meter["deviceToken"]}
            return await http.post("/api/device/state", json={"state": state}, headers=token)

    async def down(self) -> dict[str, Any]:
        """What the station's health says as soon as it knows."""
        async with asyncio.timeout(20):
            while (told := await ready(self.station))["http"] == 200:
                await asyncio.sleep(0.1)
        return told

    async def up(self) -> None:
        """Return when all that was told is kept and the station is ready, soon after its database's return."""
        await recovered(self.station, self.lamp, self.writer.sent)

    async def devices(self) -> list[str]:
        return sorted(device["externalId"] for device in (await self.station.call("GET", "/api/devices")).json())


async def household(station: StationProcess, writer: Writer, lamp: str) -> Household:
    """With one more device, which speaks HTTP."""
    meter = await station.add("meter")
    return Household(station=station, writer=writer, lamp=lamp, meter=meter, added=["lamp", "meter"])


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the household met while the disk was full."""

    refused: httpx.Response
    unkept: httpx.Response
    read: dict[str, Any]
    sent: httpx.Response
    told: dict[str, Any]


async def seen_by(home: Household) -> Seen:
    """A full disk, lived through: nobody makes room."""
    refused = await home.refused()
    await home.writer.tell(200)
    return Seen(
        refused=refused,
        told=await home.down(),
        unkept=await home.report({"watts": 1}),
        read=await home.station.device(home.lamp),
        sent=await home.station.call("POST", f"/api/devices/{home.lamp}/command", json={"action": "toggle"}),
    )


async def check(home: Household, seen: Seen, answer: tuple[int, str]) -> None:
    """It went as promised, and there is room again: also after a restart all is there that was acknowledged, once."""
    again = await home.report({"watts": 2})
    late = await home.station.call("POST", "/api/devices", json={"externalId": "late", "name": "L", "type": "pir"})
    code = await home.station.stop()
    await home.station.start()
    await home.station.log_in()
    devices, order = await home.devices(), await numbers(home.station, home.lamp)
    meter = await home.station.device(home.meter["id"])
    await home.station.stop()

    assert (seen.refused.status_code, seen.refused.json()["code"]) == answer
    assert (seen.unkept.status_code, seen.unkept.json()["code"]) == answer
    assert all(int(one.headers["retry-after"]) > 0 for one in (seen.refused, seen.unkept))
    assert seen.read["externalId"] == "lamp"
    assert seen.sent.status_code == 200
    assert not seen.told["parts"]["store"]["up"]
    assert (again.status_code, late.status_code) == (202, 201)
    assert code == 0
    assert devices == sorted([*home.added, "late"])
    assert order == list(range(home.writer.sent))
    assert meter["lastKnownState"] == {"watts": 2}


async def test_on_a_full_disk_reads_and_control_go_on_and_it_recovers_when_there_is_room(tmp_path: Path) -> None:
    if os.geteuid() != 0 and "CI" not in os.environ:
        pytest.skip("only root may mount a small disk; CI does")
    with mounted(tmp_path / "data", "12m") as data:
        async with Mosquitto() as broker, station_in(tmp_path, STATION_MQTT_URL=broker.url) as station:
            lamp = (await station.add("lamp"))["id"]
            home = await household(station, Writer(station, broker), lamp)
            fill(data / "ballast")
            seen = await seen_by(home)
            make_room(data / "ballast")
            await home.up()
            await check(home, seen, (507, "store_full"))


async def test_the_disk_of_postgresql_fills_up_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk("160m") as disk:
        async with Postgres(disk=disk) as server, living(tmp_path, server) as (station, writer, lamp):
            home = await household(station, writer, lamp)
            fill(disk / "ballast")
            seen = await seen_by(home)
            make_room(disk / "ballast")
            await home.up()
            await check(home, seen, (507, "store_full"))


async def test_a_tablespace_fills_up_while_the_log_of_postgresql_has_room(tmp_path: Path) -> None:
    with small_disk("24m") as disk:
        async with Postgres() as server, living(tmp_path, server, disk=disk) as (station, writer, lamp):
            home = await household(station, writer, lamp)
            fill(disk / "ballast")
            seen = await seen_by(home)
            make_room(disk / "ballast")
            await home.up()
            await check(home, seen, (507, "store_full"))


async def test_a_postgresql_whose_log_has_no_room_gives_up_and_its_station_lives_on(tmp_path: Path) -> None:
    with small_disk("160m") as disk:
        async with Postgres(disk=disk) as server, living(tmp_path, server) as (station, writer, lamp):
            home = await household(station, writer, lamp)
            fill(disk / "ballast")
            await writer.tell(200)
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                while True:  # until the log needs another file
                    await server.execute("SELECT pg_logical_emit_message(false, 'ballast', repeat('x', 1000000))")
            words = await server.fallen()
            seen = await seen_by(home)
            make_room(disk / "ballast")
            await server.start()
            await home.up()
            await check(home, seen, (503, "store_unavailable"))

    assert "PANIC:  could not write to file" in words
    assert "shutting down due to startup process failure" in words
