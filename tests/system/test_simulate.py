"""`station simulate` as an operator runs it, against a station as a household runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.mosquitto import Mosquitto
from tests.system.living import OWNER, StationProcess, station_in

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60  # seconds for a run
pytestmark = pytest.mark.system


async def simulate(folder: Path, *arguments: str, typed: str = "") -> tuple[int, dict[str, Any], str]:
    """Exit code, summary and what was shown on the way."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "station_app", "simulate", "--json", *arguments),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(typed.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, json.loads(out) if out else {}, err.decode()


def against(station: StationProcess) -> list[str]:
    url = f"mqtt://127.0.0.1:{station.mqtt_port}"
    who = ["--owner-email", OWNER["email"], "--password-file", "-"]
    return ["--url", url, "--station", station.url, *who]


async def test_devices_are_added_live_with_faults_and_live_again(tmp_path: Path) -> None:
    async with station_in(tmp_path) as station:
        run = [*against(station), "--devices", "12", "--rate", "5", "--faults", "all", "--fault-rate", "20"]
        code, summary, shown = await simulate(tmp_path, *run, "--seconds", "6", typed=OWNER["password"])

        assert (code, summary["joined"]) == (0, 12), (summary, shown)
        assert summary["types"] == {"climate": 3, "light": 3, "pir": 3, "switch-pir": 3}
        assert summary["sent"]["state"] > 12 * 5
        assert summary["faults"]
        assert summary["errors"] == {}
        assert "adding devices: 12 of 12" in shown
        assert OWNER["password"] not in shown
        devices = (await station.call("GET", "/api/devices")).json()
        assert {d["externalId"] for d in devices} == {f"sim-{n:04}" for n in range(1, 13)}
        assert any(d["lastKnownState"] for d in devices)
        assert (tmp_path / "simulate-tokens.json").stat().st_mode & 0o777 == 0o600

        code, again, shown = await simulate(tmp_path, *run, "--seconds", "3", typed=OWNER["password"])

        assert (code, again["joined"]) == (0, 12), (again, shown)
        assert "adding devices" not in shown

        tokens = ["--token-file", "simulate-tokens.json", "--devices", "12", "--seconds", "2"]
        code, alone, shown = await simulate(tmp_path, "--url", f"mqtt://127.0.0.1:{station.mqtt_port}", *tokens)

        assert (code, alone["joined"]) == (0, 12), (alone, shown)


async def test_devices_whose_token_is_lost_are_not_played(tmp_path: Path) -> None:
    async with station_in(tmp_path) as station:
        await station.add("sim-0001")
        code, _, shown = await simulate(tmp_path, *against(station), "--devices", "1", typed=OWNER["password"])

    assert code == 1
    assert "sim-0001" in shown
    assert "Traceback" not in shown


async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    async with station_in(tmp_path) as station:
        code, _, shown = await simulate(tmp_path, *against(station), "--devices", "1", typed="wrong horse battery")

    assert code == 77
    assert "answers 401" in shown


async def test_devices_that_nobody_knows_are_told_so_and_that_is_an_error(tmp_path: Path) -> None:
    async with Mosquitto() as broker:
        station = StationProcess(tmp_path, {"STATION_MQTT_URL": broker.url})
        await station.start()
        try:
            code, summary, _ = await simulate(tmp_path, "--url", broker.url, "--devices", "2", "--seconds", "2")
        finally:
            await station.stop()

    assert code == 1
    assert summary["joined"] == 0
    assert summary["errors"] == {"not joined": 2}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--url", "mqtt://127.0.0.1:1", "--seconds", "1"], 69, ""),
        (["--station", "http://127.0.0.1:1", "--owner-email", "a@b.c", "--password-file", "-"], 69, "can't be reached"),
        (["--url", "http://127.0.0.1:1"], 78, "--url has to be mqtt://"),
        (["--url", "mqtt://me:secret@127.0.0.1:1"], 78, "no user or password"),
        (["--faults", "fire"], 78, "--faults knows drop"),
        (["--types", "toaster"], 78, "no virtual device of type toaster"),
        (["--station", "http://127.0.0.1:1"], 78, "--owner-email"),
    ],
)
async def test_what_can_not_be_is_one_sentence_and_a_code(
    tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    ended, _, shown = await simulate(tmp_path, *arguments, typed="a password")

    assert ended == code
    assert sentence in shown
    assert "Traceback" not in shown
    assert "secret" not in shown
