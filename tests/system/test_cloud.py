"""A whole station and a cloud, over WSS."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from station_app.simulator.cloud.certificates import ThrowAwayAuthority
from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import StandInCloud
from tests.servers.ports import free_port
from tests.system.living import STATION_ID, StationProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

WITHIN = 30  # seconds


@asynccontextmanager
async def household(tmp_path: Path, cloud_host: str, ca_file: Path) -> AsyncIterator[StationProcess]:
    station = StationProcess(
        tmp_path,
        {"STATION_CLOUD_HOST": cloud_host, "STATION_CLOUD_CA_FILE": str(ca_file), "STATION_LOG_LEVEL": "debug"},
    )
    await station.start()
    try:
        yield station
    finally:
        await station.kill()


@asynccontextmanager
async def cloud_of(tmp_path: Path) -> AsyncIterator[tuple[StandInCloud, Record, str, Path]]:
    authority, record = ThrowAwayAuthority(), Record()
    ca_file = tmp_path / "authority.pem"
    ca_file.write_bytes(authority.pem)
    cloud = StandInCloud(record, authority.server())
    async with cloud.serving() as port:
        yield cloud, record, f"127.0.0.1:{port}", ca_file


async def until_authenticated(cloud: StandInCloud) -> None:
    async with asyncio.timeout(WITHIN):
        await cloud.until(lambda: bool(cloud.links) and cloud.links[-1].authenticated)


async def status_of(station: StationProcess, mode: str) -> dict[str, Any]:
    """The status, once it's in this mode."""
    async with asyncio.timeout(WITHIN):
        while True:
            status: dict[str, Any] = (await station.call("GET", "/api/cloud/status")).json()
            if status["mode"] == mode:
                return status
            await asyncio.sleep(0.05)


async def test_a_station_is_claimed_survives_a_power_cut_and_can_be_unclaimed(tmp_path: Path) -> None:
    async with cloud_of(tmp_path) as (cloud, record, host, ca_file), household(tmp_path, host, ca_file) as station:
        await until_authenticated(cloud)
        await station.log_in()
        status = await status_of(station, "authenticated")
        assert status["claimedAt"] is not None
        assert status["lastError"] is None
        handshake, auth = record.frames()[:2]
        assert handshake["chipId"] == STATION_ID
        unknown = await cloud.link.call("station.fly")
        assert unknown["error"]["code"] == -32601
        ready = (await station.call("GET", "/health/ready")).json()
        assert ready["parts"]["cloud"]["up"] is True
        figures = (await station.call("GET", "/metrics")).text
        assert 'station_part_up{part="cloud"} 1.0' in figures
        assert "station_cloud_reconnects_total 1.0" in figures

        await station.kill()
        await station.start()
        await until_authenticated(cloud)
        assert record.frames()[-1] == auth

        async with station.live() as socket:
            cloud.link.cut()
            assert (await socket.until("link_status"))["link"] == "cloud"
            assert (await socket.until("link_status"))["status"] == "up"
        cloud.claims = False
        assert (await station.call("POST", "/api/cloud/unclaim")).status_code == 204
        await status_of(station, "waiting_for_claim")
        async with asyncio.timeout(WITHIN):  # what the station has said of itself may be on its way yet
            await cloud.until(lambda: "claimSecret" in record.frames()[-1])
        assert record.frames()[-1]["claimSecret"] != handshake["claimSecret"]
        assert await station.stop() == 0
        log = station.log()
        assert auth["stationToken"] not in log
        assert handshake["claimSecret"] not in log
        assert cloud.most_at_once == 1


async def test_a_station_whose_cloud_is_away_serves_its_home(tmp_path: Path) -> None:
    ca_file = tmp_path / "authority.pem"
    ca_file.write_bytes(ThrowAwayAuthority().pem)
    async with household(tmp_path, f"127.0.0.1:{free_port()}", ca_file) as station:
        await station.log_in()
        lamp = await station.add("lamp")
        status = await status_of(station, "unclaimed")

        assert lamp["status"] == "offline"
        assert status["claimedAt"] is None
        assert (await station.call("GET", "/health/ready")).status_code == 200
        assert await station.stop() == 0


async def test_the_stand_in_does_what_its_script_says_and_records_what_it_heard(tmp_path: Path) -> None:
    port, ca_file, script = free_port(), tmp_path / "ca.pem", tmp_path / "orders.txt"
    script.write_text(
        "# a claim, and a call\nwait claim_handshake\nwait station_auth 60\ncall station.fly\nclose 4401\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "station_app", "simulate", "cloud", "--json", "--port", str(port)),
        *("--ca-file", str(ca_file), "--script", str(script)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            told = (await process.stderr.readline()).decode()
            assert f"STATION_CLOUD_HOST=127.0.0.1:{port} STATION_CLOUD_CA_FILE={ca_file}" in told
            ssl.create_default_context(cafile=ca_file)
            async with household(tmp_path, f"127.0.0.1:{port}", ca_file) as station:
                out, err = await process.communicate()
                await station.log_in()
                assert (await status_of(station, "refused"))["claimedAt"] is not None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert (process.returncode, err) == (0, b"")
    entries = [json.loads(line) for line in out.splitlines()]
    frames = [entry["frame"] for entry in entries if entry["what"] in {"heard", "said"}]
    assert [frame["type"] for frame in frames if "type" in frame] == [
        "claim_handshake",
        "claim_success",
        "station_auth",
        "auth_ok",
    ]
    assert entries[-1]["what"] == "closed"
