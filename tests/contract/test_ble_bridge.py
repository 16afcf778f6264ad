"""What the station does when the bridge's child dies, hangs, speaks rubbish, or outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from station_adapters.ble.bridge import BridgeRadio
from station_core.errors import RadioUnavailable
from station_core.provisioning.errors import LinkLost
from tests.servers.esp32 import CHARACTERISTIC, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from station_core.provisioning.model import Sighting

PATIENCE = 20.0
ADDRESS = "F0:F1:F2:F3:F4:F5"
FOUND = json.dumps(
    {
        "event": "discovered",
        "address": ADDRESS,
        "name": None,
        "rssi": -40,
        "service_uuids": [],
        "service_data": {SERVICE: b"pir:a1".hex()},
    }
)
PRELUDE = f"""
import json, os, sys, time
open(sys.argv[1], "a").write(f"{{os.getpid()}}\\n")
lives = len(open(sys.argv[1]).readlines())
def say(text): sys.stdout.write(text + "\\n"); sys.stdout.flush()
def hear(): return json.loads(sys.stdin.readline() or '{{"event": "gone"}}')
FOUND = {FOUND!r}
say('{{"event":"ready"}}')
"""


class Told:
    def __init__(self) -> None:
        self.started = 0
        self.seen = asyncio.Event()

    def start(self) -> None:
        self.started += 1

    def see(self, sighting: Sighting) -> None:
        assert sighting.external_id == "a1"
        self.seen.set()


class Children:
    """Radios whose child is a script; every child leaves its pid."""

    def __init__(self, folder: Path) -> None:
        self._lives = folder / "lives"

    def radio(self, script: str) -> BridgeRadio:
        return BridgeRadio(
            service_uuid=SERVICE,
            characteristic_uuid=CHARACTERISTIC,
            child=(sys.executable, "-c", PRELUDE + script, str(self._lives)),
            asked_after=0.1,
            answers_within=1.0,
        )

    def pids(self) -> list[int]:
        return [int(line) for line in self._lives.read_text().split()]


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    children = Children(tmp_path)
    yield children
    assert [pid for pid in children.pids() if _runs(pid)] == []


async def scanned(radio: BridgeRadio) -> Told:
    """Scan until something was seen."""
    told = Told()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        scan = group.create_task(radio.scan(told.see, started=told.start))
        await told.seen.wait()
        scan.cancel()
    return told


async def test_a_child_that_dies_is_replaced_and_the_scan_goes_on(children: Children) -> None:
    script = """
hear(); say('{"event":"scan_started"}')
if lives == 1: sys.exit(1)
say(FOUND); hear()
"""
    told = await scanned(children.radio(script))

    assert told.started == 1
    assert len(children.pids()) == 2


async def test_a_child_that_hangs_is_replaced_and_the_scan_goes_on(children: Children) -> None:
    script = """
hear(); say('{"event":"scan_started"}')
if lives == 1: hear(); hear(); sys.exit(0)
say(FOUND)
while hear()["event"] == "start_scan": say('{"event":"scan_started"}')
"""
    told = await scanned(children.radio(script))

    assert told.started == 1
    assert len(children.pids()) == 2


async def test_a_quiet_child_that_answers_is_kept(children: Children) -> None:
    script = """
for _ in range(4): hear(); say('{"event":"scan_started"}')
say(FOUND); hear()
"""
    told = await scanned(children.radio(script))

    assert told.started == 1
    assert len(children.pids()) == 1


async def test_a_child_that_never_gets_to_scan_is_no_radio(children: Children) -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RadioUnavailable):
            await children.radio("sys.exit(1)").scan(lambda _: None, started=lambda: None)

    assert len(children.pids()) == 3


async def test_a_child_that_cannot_be_started_is_no_radio(tmp_path: Path) -> None:
    radio = BridgeRadio(
        service_uuid=SERVICE, characteristic_uuid=CHARACTERISTIC, child=(str(tmp_path / "no-such-program"),)
    )
    with pytest.raises(RadioUnavailable):
        await radio.scan(lambda _: None, started=lambda: None)


async def test_rubbish_and_floods_from_a_child_are_survived(children: Children) -> None:
    script = """
hear(); say("rubbish"); say("[]"); say('{"event":"dance"}'); say("x" * 300_000); say('{"event":"scan_started"}')
sys.stderr.write("words\\n" * 100_000)
for _ in range(20_000): say(FOUND)
hear()
"""
    told = await scanned(children.radio(script))

    assert told.started == 1


async def test_a_child_that_dies_during_a_write_leaves_open_what_was_written(children: Children) -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RadioUnavailable):
            await children.radio("hear(); sys.exit(1)").write(ADDRESS, b"{}", connected=lambda: None)


async def test_an_error_in_words_of_its_own_leaves_open_what_was_written(children: Children) -> None:
    script = f"hear(); say(json.dumps(dict(event='write_result', address='{ADDRESS}', ok=False, error='oops'))); hear()"
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(LinkLost):
            await children.radio(script).write(ADDRESS, b"{}", connected=lambda: None)


async def test_a_child_that_ignores_the_end_of_input_is_killed(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("station_adapters.ble.bridge.GONE_WITHIN", 0.1)
    script = """
hear(); say('{"event":"scan_started"}'); say(FOUND)
while True: time.sleep(1)
"""
    await scanned(children.radio(script))

    assert not _runs(children.pids()[0])


async def test_a_station_that_is_killed_leaves_no_child_behind(tmp_path: Path) -> None:
    station = f"""
import asyncio
from station_adapters.ble import bridge
made = asyncio.create_subprocess_exec
async def telling(*command, **options):
    process = await made(*command, **options)
    print(process.pid, flush=True)
    return process
asyncio.create_subprocess_exec = telling
radio = bridge.BridgeRadio(service_uuid={SERVICE!r}, characteristic_uuid={CHARACTERISTIC!r})
asyncio.run(radio.scan(lambda _: None, started=lambda: None))
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", station),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/none"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        child = int(await process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        await process.wait()
        while _runs(child):  # noqa: ASYNC110  # nobody's child any more: nobody is told of its end
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
