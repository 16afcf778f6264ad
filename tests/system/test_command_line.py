"""The command line as an operator uses it: beside a running station, and on the data of one that doesn't run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.living import OWNER, StationProcess, station_in

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


async def station(of: StationProcess, *words: str, typed: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `station …`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STATION_")}
    environment |= {"STATION_DATA_DIR": str(of.folder / "data"), **of.environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "station_app", *words),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def told(of: StationProcess, *words: str, typed: str = "") -> Any:
    """What `station … --json` prints."""
    code, out, err = await station(of, *words, "--json", typed=typed)
    assert code == 0, err
    return json.loads(out)


async def test_a_running_station_is_asked_and_ordered(tmp_path: Path) -> None:
    async with station_in(tmp_path) as running:
        status = await told(running, "status")
        added = await told(running, "device", "add", "lamp", "--type", "light")
        await told(running, "user", "add", "bob@example.org", "--role", "admin", typed="correct horse\n")
        await told(running, "user", "disable", "bob@example.org")
        people = await told(running, "user", "list")
        await told(running, "user", "reset-password", OWNER["email"], typed="another password\n")
        old = await running.call("GET", "/api/devices")
        new = await running.call("POST", "/api/auth/login", json={**OWNER, "password": "another password"})
        level = await told(running, "log-level", "debug")
        offline = await station(running, "device", "command", "lamp", "toggle")
        healthy = await told(running, "doctor")
        await running.stop()
        examined = await told(running, "doctor")
        after = await station(running, "status")
        kept = await told(running, "device", "list")

    assert (status["phase"], status["ready"]) == ("serving", True)
    assert [(one["email"], one["role"], one["disabled"]) for one in people] == [
        ("bob@example.org", "admin", True),
        (OWNER["email"], "owner", False),
    ]
    assert (old.status_code, new.status_code) == (401, 200)
    assert [one["state"] for one in healthy.values() if one["state"] == "fail"] == []
    assert list(examined) == list(healthy)
    assert level["now"] == "debug"
    assert (offline[0], offline[1]) == (1, "")
    assert after == (69, "", "station: The station isn't running.\n")
    assert [one["id"] for one in kept] == [added["id"]]


async def test_what_is_ordered_while_no_station_runs_holds_at_the_next_start(tmp_path: Path) -> None:
    async with station_in(tmp_path) as running:
        await running.stop()
        added = await told(running, "device", "add", "lamp", "--type", "light", "--name", "Desk lamp")
        taken = await station(running, "device", "add", "lamp", "--type", "light")
        await running.start()
        device = await running.device(added["id"])

    assert (device["name"], device["externalId"]) == ("Desk lamp", "lamp")
    assert taken == (1, "", "station: Another device bears this external id.\n")
