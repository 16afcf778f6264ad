"""The bridge's child, driven by somebody who knows nothing but the table in docs/protocols.md §2."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.ble.bridge import CHILD
from station_adapters.ble.virtual import Peripheral, Trouble
from tests.contract.ble_rigs import on_bus
from tests.servers.bluez import FakeBluez
from tests.servers.esp32 import CHARACTERISTIC, SERVICE, Ether
from tests.servers.private_bus import PrivateBus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Self

PATIENCE = 15.0
GONE_WITHIN = 5.0
ADDRESS = "F0:F1:F2:F3:F4:F5"
START = {"event": "start_scan", "service_uuid": SERVICE}
STOP = {"event": "stop_scan"}
WRITE = {
    "event": "connect_and_write",
    "address": ADDRESS,
    "service_uuid": SERVICE,
    "characteristic_uuid": CHARACTERISTIC,
    "payload": '{"ssid":"Zuhause – ü"}',
}


class Child:
    """The process, its pipes, and what it said so far."""

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "station_adapters.ble.bridge_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        assert await self.next() == {"event": "ready"}
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def say(self, *messages: dict[str, Any] | bytes) -> None:
        for message in messages:
            self.stdin.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            line = await self.stdout.readline()
        assert line.endswith(b"\n")
        said = json.loads(line)
        assert isinstance(said, dict)
        return said

    async def told(self, event: str) -> dict[str, Any]:
        """The next of this kind; others before it are skipped."""
        while (said := await self.next())["event"] != event:
            pass
        return said

    async def end(self) -> int:
        """Close its input; its exit code."""
        self.stdin.close()
        async with asyncio.timeout(GONE_WITHIN):
            await self.stdout.read()
            return await self.process.wait()


class Surroundings:
    def __init__(self, ether: Ether, bluetoothd: FakeBluez) -> None:
        self.ether = ether
        self.bluetoothd = bluetoothd

    async def place(self, trouble: Trouble = Trouble.NONE) -> Peripheral:
        peripheral = Peripheral(address=ADDRESS, service_data={SERVICE: b"pir:a1b2c3"}, trouble=trouble)
        await self.ether.place(peripheral)
        return peripheral


@pytest.fixture
async def around() -> AsyncIterator[Surroundings]:
    async with PrivateBus() as bus, Ether() as ether, FakeBluez(ether, bus.address) as bluetoothd:
        with on_bus(bus.address):
            yield Surroundings(ether, bluetoothd)


@pytest.fixture
async def child(around: Surroundings) -> AsyncIterator[Child]:
    async with Child() as child:
        yield child


async def test_a_scan_is_started_tells_and_is_stopped(around: Surroundings, child: Child) -> None:
    await around.place()
    child.say(START)
    started = await child.next()
    found = await child.told("discovered")
    child.say(STOP)
    await child.told("scan_stopped")

    assert started == {"event": "scan_started"}
    assert isinstance(found.pop("rssi"), int)
    assert found == {
        "event": "discovered",
        "address": ADDRESS,
        "name": None,
        "service_uuids": [],
        "service_data": {SERVICE: b"pir:a1b2c3".hex()},
    }
    assert around.bluetoothd.scanners == set()


async def test_who_does_not_carry_the_service_is_not_told(around: Surroundings, child: Child) -> None:
    await around.ether.place(Peripheral(address="F0:F1:F2:F3:F4:FF", name="SH_pir_9"))
    await around.place()
    child.say(START)

    assert [(await child.told("discovered"))["address"] for _ in range(5)] == [ADDRESS] * 5


async def test_a_name_in_a_later_packet_is_merged(around: Surroundings, child: Child) -> None:
    peripheral = Peripheral(address=ADDRESS, service_uuids=(SERVICE,))
    await around.ether.place(peripheral)
    child.say(START)
    assert (await child.told("discovered"))["name"] is None
    peripheral.name, peripheral.service_uuids = "SH_pir_1", ()
    await around.ether.advertise(peripheral)
    async with asyncio.timeout(PATIENCE):
        while (found := await child.told("discovered"))["name"] is None:
            pass

    assert (found["name"], found["service_uuids"]) == ("SH_pir_1", [SERVICE])


async def test_start_and_stop_are_idempotent_and_always_answered(child: Child) -> None:
    child.say(STOP, START, START, STOP, STOP, START)

    assert [(await child.next())["event"] for _ in range(6)] == [
        *("scan_stopped", "scan_started", "scan_started", "scan_stopped", "scan_stopped", "scan_started")
    ]


async def test_a_write_reaches_the_device_also_without_a_scan_before(around: Surroundings, child: Child) -> None:
    peripheral = await around.place()
    child.say(WRITE)

    assert await child.next() == {"event": "write_result", "address": ADDRESS, "ok": True}
    assert peripheral.written == [WRITE["payload"].encode()]


async def test_a_write_that_fails_says_why_and_the_scan_goes_on(around: Surroundings, child: Child) -> None:
    await around.place(Trouble.REFUSES)
    child.say(START, WRITE)
    result = await child.told("write_result")
    await child.told("discovered")

    assert result == {"event": "write_result", "address": ADDRESS, "ok": False, "error": "write_refused"}


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\n",
        b"rubbish\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"null\n",
        b'"start_scan"\n',
        b"{}\n",
        b'{"event":"start_scan"\n',
        b'{"event":"dance"}\n',
        b'{"event":1}\n',
        b'{"event":"start_scan"}\n',
        b'{"event":"start_scan","service_uuid":1}\n',
        b'{"event":"start_scan","service_uuid":null}\n',
        b'{"event":"scan_started"}\n',
        b'{"event":"connect_and_write","address":"a","service_uuid":"b","characteristic_uuid":"c"}\n',
        b'{"event":"connect_and_write","address":"a","service_uuid":"b","characteristic_uuid":"c","payload":{}}\n',
        b'{"event":"connect_and_write","address":"a","service_uuid":"b","characteristic_uuid":"c","payload":"\\ud800"}\n',
        b"[" * 60_000 + b"\n",
        b'{"event":"stop_scan","x":"' + b"x" * 65_536 + b'"}\n',
        b"x" * 300_000 + b"\n",
    ],
    ids=lambda rubbish: repr(rubbish[:24]),
)
async def test_rubbish_is_one_error_and_the_child_goes_on(child: Child, rubbish: bytes) -> None:
    child.say(rubbish, STOP)
    said = [await child.next(), await child.next()]

    assert [message["event"] for message in said] == ["error", "scan_stopped"]
    assert isinstance(said[0]["error"], str)
    assert "during" not in said[0]


async def test_a_line_of_64_kibibytes_is_taken_and_more_fields_are_no_error(child: Child) -> None:
    line = json.dumps({**STOP, "x": ""}).encode()
    child.say(line.replace(b'""', b'"' + b"x" * (65_536 - len(line)) + b'"') + b"\n")

    assert (await child.next())["event"] == "scan_stopped"


async def test_a_line_may_come_in_pieces(child: Child) -> None:
    child.say(b'{"event":"st')
    await child.stdin.drain()
    child.say(b'op_scan"}\n')

    assert (await child.next())["event"] == "scan_stopped"


@pytest.mark.parametrize("rest", [b"", b'{"event":"stop_'])
async def test_the_end_of_input_ends_it_without_a_trace(around: Surroundings, child: Child, rest: bytes) -> None:
    asked = asyncio.Event()
    peripheral = await around.place(Trouble.NEVER_ANSWERS)
    peripheral.took = lambda _: asked.set()
    child.say(START, WRITE)
    async with asyncio.timeout(PATIENCE):
        await asked.wait()
    child.say(rest)
    code = await child.end()

    assert code == 0
    assert (around.bluetoothd.scanners, around.bluetoothd.links) == (set(), 0)


async def test_what_was_asked_just_before_the_end_is_answered(child: Child) -> None:
    child.say(STOP)
    child.stdin.close()

    assert (await child.next())["event"] == "scan_stopped"
    assert await child.end() == 0


async def test_a_parent_that_never_reads_does_not_keep_it(around: Surroundings, child: Child) -> None:
    await around.place()
    child.say(START, *[b"rubbish\n"] * 50_000)
    await child.stdin.drain()
    child.stdin.close()
    async with asyncio.timeout(GONE_WITHIN):
        while child.process.returncode is None:  # noqa: ASYNC110  # wait() would also wait for what isn't read
            await asyncio.sleep(0.01)
        code = child.process.returncode
        await child.stdout.read()
        await child.process.wait()

    assert code == 0


async def test_it_is_ready_without_any_bluetooth_and_says_that_it_cannot_scan(tmp_path: Path) -> None:
    with on_bus(f"unix:path={tmp_path}/none"):
        async with Child() as child:
            child.say(START, WRITE)
            said = [await child.next(), await child.next()]
            child.say(STOP)

            assert {"event": "error", "error": "radio_unavailable", "during": "scan"} in said
            assert {"event": "write_result", "address": ADDRESS, "ok": False, "error": "radio_unavailable"} in said
            assert await child.next() == {"event": "scan_stopped"}
            assert await child.end() == 0


async def test_the_folder_that_a_station_is_started_in_gives_the_child_no_code(tmp_path: Path) -> None:
    (tmp_path / "asyncio.py").write_text("open('sprung', 'w')")
    child = await asyncio.create_subprocess_exec(
        *CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await child.communicate(b"")

    assert said.startswith(b'{"event":"ready"')
    assert not (tmp_path / "sprung").exists()
