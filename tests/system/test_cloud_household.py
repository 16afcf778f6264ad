"""What the cloud says of a household and of its end, at a whole station with its own broker, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import bcrypt
import pytest

from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import StandInCloud
from station_app.simulator.firmware import JOINED, Phase
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home as MqttHome
from tests.servers.mosquitto import Mosquitto
from tests.system.living import OWNER, STATION_ID, StationProcess, eventually, station_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

pytestmark = pytest.mark.system

WITHIN: Final = 30.0  # seconds for anything to come about
PASSWORD: Final = "open sesame"
DEVICES: Final = ["lamp-1", "lamp-2", "lamp-3"]


def bob(**more: Any) -> dict[str, Any]:
    digest = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    return {
        "cloudUserId": "bob",
        "email": "bob@x.example",
        "name": "Bob",
        "role": "member",
        "stationPasswordHash": digest,
        **more,
    }


@asynccontextmanager
async def clouded(folder: Path, **environment: str) -> AsyncIterator[tuple[StationProcess, StandInCloud]]:
    """A station that a stand-in cloud has claimed and knows."""
    cloud = StandInCloud(Record())
    async with (
        cloud.serving() as port,
        station_in(folder, STATION_CLOUD_HOST=f"ws://127.0.0.1:{port}", **environment) as station,
    ):
        await known(cloud)
        yield station, cloud


async def known(cloud: StandInCloud) -> None:
    async with asyncio.timeout(WITHIN):
        await cloud.until(lambda: bool(cloud.links) and cloud.link.authenticated)


async def people(station: StationProcess, count: int) -> None:
    """Once bob can log in, or can't any more, the message has come about."""
    async with asyncio.timeout(WITHIN):
        while await login(station) != (200 if count == 2 else 401):
            await asyncio.sleep(0.05)


async def login(station: StationProcess) -> int:
    answer = await station.call("POST", "/api/auth/login", json={"email": "bob@x.example", "password": PASSWORD})
    if answer.status_code == 200:
        station.token = answer.json()["accessToken"]
    return answer.status_code


@asynccontextmanager
async def fleet_at(station: StationProcess, port: int, devices: Iterable[dict[str, Any]]) -> AsyncIterator[Fleet]:
    """The devices, alive and connected."""
    home = MqttHome(host="127.0.0.1", port=port, station_id=STATION_ID)
    fleet = Fleet.of([(one["externalId"], "light", one["deviceToken"]) for one in devices], home)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(fleet.run())
        try:
            await eventually(lambda: all(device.phase in JOINED for device in fleet), WITHIN)
            yield fleet
        finally:
            running.cancel()


async def test_a_member_logs_in_on_the_lan_without_the_cloud_and_is_out_once_it_says_so(tmp_path: Path) -> None:
    async with clouded(tmp_path) as (station, cloud):
        await cloud.link.say({"type": "identity_sync", "users": [bob(), {"cloudUserId": 7}], "stationName": "Seaside"})
        await people(station, 2)
        cloud.link.cut()
        without = await login(station)
        async with station.live() as live:
            await known(cloud)
            await cloud.link.say({"type": "member_removed", "cloudUserId": "bob"})
            async with asyncio.timeout(5):  # docs/protocols.md §3
                await live.socket.wait_closed()
            rest = await station.call("GET", "/api/devices")
        await station.log_in()
        status = (await station.call("GET", "/api/cloud/status")).json()

    assert without == 200
    assert live.socket.close_code == 4401
    assert rest.status_code == 401
    assert status["mode"] == "authenticated"


async def test_the_phone_s_command_reaches_the_device_and_an_invitation_the_cloud(tmp_path: Path) -> None:
    async with clouded(tmp_path) as (station, cloud):
        lamp = await station.add("lamp-1")
        async with fleet_at(station, station.mqtt_port, [lamp]):
            answer = await cloud.link.call("device.command", {"deviceId": lamp["id"], "command": "turn_on"})
            async with asyncio.timeout(WITHIN):
                while (await station.device(lamp["id"]))["lastKnownState"].get("on") is not True:
                    await asyncio.sleep(0.05)
            refused = await cloud.link.call("device.command", {"deviceId": "nobody", "command": "turn_on"})
            who = {"email": "eve@x.example", "role": "member"}
            invited = await station.call("POST", "/api/user-management/invites", json=who)
            async with asyncio.timeout(WITHIN):
                await cloud.until(lambda: cloud.heard["member.invited"] > 0)
            await cloud.until(lambda: cloud.heard["device.commandSent"] > 0)

    assert answer["result"] == {"status": "ok"}
    assert refused["error"]["data"]["code"] == "device_unknown"
    assert invited.status_code == 201


async def test_a_station_that_is_given_up_tells_its_devices_ends_with_0_and_begins_anew(tmp_path: Path) -> None:
    async with clouded(tmp_path) as (station, cloud):
        devices = [await station.add(name) for name in DEVICES]
        async with fleet_at(station, station.mqtt_port, devices) as fleet:
            await cloud.link.say({"type": "station_reset"})
            assert station.process is not None
            async with asyncio.timeout(WITHIN):
                code = await station.process.wait()
            phases = {device.phase for device in fleet}
        cloud.claims = False
        await station.start()
        await station.log_in()
        left = (await station.call("GET", "/api/devices")).json()
        status = (await station.call("GET", "/api/cloud/status")).json()
        claim = (await station.call("GET", "/api/cloud/claim")).json()

    assert code == 0
    assert phases == {Phase.UNPROVISIONED}
    assert sorted(device["externalId"] for device in left) == DEVICES
    assert status["claimedAt"] is None
    assert claim["chipId"] == STATION_ID
    assert "Traceback" not in station.log()


async def test_a_reset_that_a_power_cut_interrupts_is_brought_to_its_end_by_the_next_run(tmp_path: Path) -> None:
    async with Mosquitto() as broker, clouded(tmp_path, STATION_MQTT_URL=broker.url) as (station, cloud):
        devices = [await station.add(name) for name in DEVICES]
        await broker.kill()
        await eventually(lambda: "mqtt" in station.log(), WITHIN)
        await cloud.link.say({"type": "station_reset"})
        await eventually(lambda: "the cloud gives the station up" in station.log(), WITHIN)
        await station.kill()
        await broker.start()
        async with fleet_at(station, broker.port, devices) as fleet:
            await station.start()
            await eventually(lambda: all(device.phase is Phase.UNPROVISIONED for device in fleet), WITHIN)
        await known(cloud)
        await station.log_in()
        left = (await station.call("GET", "/api/devices")).json()

        assert station.process is not None
        assert station.process.returncode is None
        assert sorted(device["externalId"] for device in left) == DEVICES
        assert OWNER["email"] in (await station.call("GET", "/api/users/me")).text
        assert "a reset is brought to its end" in station.log()


async def test_a_sync_that_a_power_cut_interrupts_is_whole_or_nothing(tmp_path: Path) -> None:
    async with clouded(tmp_path) as (station, cloud):
        for n in range(4):
            members = [bob(cloudUserId=f"m{m}", email=f"m{m}@x.example", name=f"round {n}") for m in range(60)]
            await cloud.link.say({"type": "identity_sync", "users": members, "stationName": f"round {n}"})
            await asyncio.sleep(n * 0.02)  # any moment will do
            await station.kill()
            await station.start()
            await station.log_in()
            name = (await station.call("GET", "/api/cloud/status")).json()["stationName"]
            users = await asyncio.to_thread(told_by_the_database, tmp_path / "data" / "station.db")
            await known(cloud)

            cloudy = {user: called for user, called in users.items() if user != OWNER["email"]}
            assert len(cloudy) in {0, 60}
            assert set(cloudy.values()) <= {name}


def told_by_the_database(path: Path) -> dict[str, str]:
    """Names by e-mail address."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return dict(database.execute("SELECT email, name FROM users"))
