"""What every `BleTransport` promises."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from station_adapters.ble.virtual import Peripheral, Trouble
from station_core.provisioning.errors import ConnectFailed, LinkLost, NotInRange, ServiceMissing, WriteRefused
from station_core.provisioning.model import Known
from tests.contract import ble_rigs
from tests.servers.esp32 import SERVICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.provisioning.model import Sighting
    from tests.contract.ble_rigs import BleRig

PATIENCE = 20.0
NAMED, BY_DATA, NAMELESS, STRANGER = (f"F0:F1:F2:F3:F4:F{n}" for n in range(4))
OTHER = "6e1f0001-5b2a-4c8e-9d0a-1c7a5d2e0001"
SETTINGS = b'{"ssid":"home"}'


@pytest.fixture(
    params=[ble_rigs.virtual, ble_rigs.bleak, ble_rigs.bluez, ble_rigs.bridge], ids=lambda rig: str(rig.__name__)
)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[BleRig]:
    async with request.param() as rig:
        yield rig
        assert (rig.scans, rig.links) == (0, 0)


class Seen:
    """What a scan tells, in order."""

    def __init__(self) -> None:
        self.told: list[Sighting] = []
        self.started = asyncio.Event()
        self._news = asyncio.Event()

    def __call__(self, sighting: Sighting) -> None:
        assert self.started.is_set(), "seen before it was started"
        self.told.append(sighting)
        self._news.set()

    async def of(self, address: str, known_by: Known) -> Sighting:
        """The first of this address that is known so well."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for sighting in self.told:
                    if (sighting.address, sighting.known_by) == (address, known_by):
                        return sighting
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def scanning(rig: BleRig) -> AsyncIterator[Seen]:
    """A scan that runs, and is cancelled in the end."""
    seen = Seen()
    async with asyncio.TaskGroup() as group:
        scan = group.create_task(rig.radio.scan(seen, started=seen.started.set))
        async with asyncio.timeout(PATIENCE):
            await seen.started.wait()
        yield seen
        scan.cancel()


def device(trouble: Trouble = Trouble.NONE) -> Peripheral:
    return Peripheral(address=NAMED, name="SH_pir_1", service_uuids=(SERVICE,), trouble=trouble)


async def written(rig: BleRig, peripheral: Peripheral, payload: bytes = SETTINGS) -> list[str]:
    """Write to a device that a scan has seen; what was told meanwhile."""
    told: list[str] = []
    async with scanning(rig) as seen:
        await rig.place(peripheral)
        await seen.of(peripheral.address, Known.NAME)
        try:
            await rig.radio.write(peripheral.address, payload, connected=lambda: told.append("connected"))
        finally:
            await asyncio.sleep(0)  # the device's own hanging up runs
    return told


async def test_a_scan_tells_who_is_in_range_and_by_what_it_knows_them(rig: BleRig) -> None:
    await rig.place(device())
    await rig.place(Peripheral(address=BY_DATA, service_data={SERVICE: b"pir:a1b2c3"}))
    await rig.place(Peripheral(address=NAMELESS, service_uuids=(SERVICE,)))
    await rig.place(Peripheral(address=STRANGER, name="SH_x_1", service_uuids=(OTHER,)))
    async with scanning(rig) as seen:
        named = await seen.of(NAMED, Known.NAME)
        by_data = await seen.of(BY_DATA, Known.SERVICE_DATA)
        nameless = await seen.of(NAMELESS, Known.ADDRESS)

    assert (named.device_type, named.external_id, named.name) == ("pir", "1", "SH_pir_1")
    assert (by_data.device_type, by_data.external_id, by_data.name) == ("pir", "a1b2c3", None)
    assert (nameless.device_type, nameless.external_id, nameless.name) == ("unknown", "f0f1f2f3f4f2", None)
    assert STRANGER not in {sighting.address for sighting in seen.told}
    assert all(-127 <= sighting.rssi <= 20 for sighting in seen.told)


async def test_a_name_that_comes_later_and_without_the_service_completes_the_device(rig: BleRig) -> None:
    late = Peripheral(address=NAMELESS, service_uuids=(SERVICE,))
    await rig.place(late)
    async with scanning(rig) as seen:
        await seen.of(NAMELESS, Known.ADDRESS)
        late.name, late.service_uuids = "SH_light_2", ()
        await rig.advertise(late)
        named = await seen.of(NAMELESS, Known.NAME)

    assert (named.device_type, named.external_id) == ("light", "2")


async def test_a_device_that_is_switched_on_during_a_scan_is_told(rig: BleRig) -> None:
    async with scanning(rig) as seen:
        await rig.place(device())
        sighting = await seen.of(NAMED, Known.NAME)

    assert sighting.external_id == "1"


async def test_a_scan_can_be_begun_again(rig: BleRig) -> None:
    await rig.place(device())
    for _ in range(2):
        async with scanning(rig) as seen:
            await seen.of(NAMED, Known.NAME)

    assert rig.scans == 0


async def test_a_scan_that_is_cancelled_before_it_has_begun_leaves_none(rig: BleRig) -> None:
    scan = asyncio.ensure_future(rig.radio.scan(lambda _: None, started=lambda: None))
    await asyncio.sleep(0)
    scan.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scan

    assert rig.scans == 0


@pytest.mark.parametrize("size", [15, 500])
async def test_settings_of_any_length_reach_the_device_whole_and_once(rig: BleRig, size: int) -> None:
    payload = (b"0123456789" * 50)[:size]
    peripheral = device()
    told = await written(rig, peripheral, payload)

    assert peripheral.written == [payload]
    assert told == ["connected"]


async def test_a_device_can_be_written_to_again(rig: BleRig) -> None:
    peripheral = device()
    async with scanning(rig) as seen:
        await rig.place(peripheral)
        await seen.of(NAMED, Known.NAME)
        for payload in (b"1", b"2"):
            await rig.radio.write(NAMED, payload, connected=lambda: None)

    assert peripheral.written == [b"1", b"2"]


async def test_a_device_is_written_to_when_the_scan_that_saw_it_is_over(rig: BleRig) -> None:
    peripheral = device()
    await rig.place(peripheral)
    async with scanning(rig) as seen:
        await seen.of(NAMED, Known.NAME)
    await rig.radio.write(NAMED, SETTINGS, connected=lambda: None)

    assert peripheral.written == [SETTINGS]


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.HAS_NO_SERVICE, ServiceMissing),
        (Trouble.REFUSES, WriteRefused),
        (Trouble.HANGS_UP_BEFORE, LinkLost),
        (Trouble.TAKES_NO_CONNECTION, ConnectFailed),
    ],
)
async def test_what_goes_wrong_is_told_by_its_error_and_nothing_was_written(
    rig: BleRig, trouble: Trouble, error: type[Exception]
) -> None:
    peripheral = device(trouble)
    with pytest.RaisesGroup(error):
        await written(rig, peripheral)

    assert peripheral.written == []


async def test_a_device_that_hangs_up_before_it_confirmed_may_have_its_settings(rig: BleRig) -> None:
    peripheral = device(Trouble.HANGS_UP_DURING)
    with pytest.RaisesGroup(LinkLost):
        await written(rig, peripheral)

    assert peripheral.written == [SETTINGS]


async def test_a_device_that_hangs_up_after_it_confirmed_has_its_settings(rig: BleRig) -> None:
    peripheral = device(Trouble.HANGS_UP_AFTER)
    await written(rig, peripheral)

    assert peripheral.written == [SETTINGS]


async def test_whoever_is_not_heard_is_not_in_range(rig: BleRig) -> None:
    with pytest.raises(NotInRange):
        await rig.radio.write(STRANGER, SETTINGS, connected=lambda: None)


async def test_a_write_that_is_cancelled_leaves_no_link(rig: BleRig) -> None:
    asked = asyncio.Event()
    peripheral = device(Trouble.NEVER_ANSWERS)
    peripheral.took = lambda _: asked.set()
    async with scanning(rig) as seen:
        await rig.place(peripheral)
        await seen.of(NAMED, Known.NAME)
        write = asyncio.ensure_future(rig.radio.write(NAMED, SETTINGS, connected=lambda: None))
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        links = rig.links

    assert links == 0


async def test_what_is_written_is_in_no_log_however_much_is_logged(
    rig: BleRig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLEAK_LOGGING", "1")  # for the bridge's child
    caplog.set_level(logging.DEBUG)
    peripheral = device()
    await written(rig, peripheral, b'{"password":"canary"}')

    assert peripheral.written == [b'{"password":"canary"}']
    ours = [record for record in caplog.records if not record.name.startswith("bumble")]  # the device's end
    assert [record.name for record in ours if "canary" in record.getMessage()] == []
