"""What the machine's own Bluetooth does when the system's part of it is away, slow or forgetful."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from station_adapters.ble import antenna as antenna_module
from station_adapters.ble.antenna import Antenna
from station_adapters.ble.radio import Radio
from station_adapters.ble.virtual import Peripheral, Trouble
from station_core.errors import RadioUnavailable
from station_core.provisioning.errors import LinkLost, NotInRange
from tests.contract.ble_rigs import on_bus, system_bus
from tests.servers.bluez import FakeBluez
from tests.servers.esp32 import CHARACTERISTIC, SERVICE, Ether

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.private_bus import PrivateBus

PATIENCE = 10.0
ADDRESS = "F0:F1:F2:F3:F4:F5"


def radio(*, turn: float = 10.0) -> Radio:
    def antenna() -> Antenna:
        return Antenna(turn=turn, found_within=0.3)

    return Radio(antenna, service_uuid=SERVICE, characteristic_uuid=CHARACTERISTIC)


def device(trouble: Trouble = Trouble.NONE) -> Peripheral:
    return Peripheral(address=ADDRESS, name="SH_pir_1", service_uuids=(SERVICE,), trouble=trouble)


async def both_refuse(over: Radio) -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RadioUnavailable):
            await over.scan(lambda _: None, started=lambda: pytest.fail("it didn't start"))
        with pytest.raises(RadioUnavailable):
            await over.write(ADDRESS, b"{}", connected=lambda: pytest.fail("it's not connected"))


@pytest.fixture
async def ether() -> AsyncIterator[Ether]:
    async with Ether() as ether:
        yield ether


@pytest.fixture
async def bus() -> AsyncIterator[PrivateBus]:
    async with system_bus() as bus:
        yield bus


async def seen_once(over: Radio) -> None:
    """Scan until the device was seen."""
    seen = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        scan = group.create_task(over.scan(lambda _: seen.set(), started=lambda: None))
        await seen.wait()
        scan.cancel()


async def test_without_a_system_bus_there_is_no_radio(tmp_path: Path) -> None:
    with on_bus(f"unix:path={tmp_path}/none"):
        await both_refuse(radio())


async def test_without_bluetoothd_there_is_no_radio(bus: PrivateBus) -> None:
    await both_refuse(radio())

    assert bus.address


async def test_an_adapter_that_is_off_is_no_radio(bus: PrivateBus, ether: Ether) -> None:
    async with FakeBluez(ether, bus.address, powered=False):
        await both_refuse(radio())


async def test_a_radio_that_comes_later_is_found_by_the_next_call(bus: PrivateBus, ether: Ether) -> None:
    peripheral = device()
    await ether.place(peripheral)
    over = radio()
    await both_refuse(over)
    async with FakeBluez(ether, bus.address):
        await seen_once(over)
        await over.write(ADDRESS, b"{}", connected=lambda: None)

    assert peripheral.written == [b"{}"]


async def test_a_scan_whose_bluetoothd_dies_ends_within_a_turn(bus: PrivateBus, ether: Ether) -> None:
    started = asyncio.Event()
    async with AsyncExitStack() as stack:
        bluetoothd = await stack.enter_async_context(FakeBluez(ether, bus.address))
        scan = asyncio.ensure_future(radio(turn=0.05).scan(lambda _: None, started=started.set))
        async with asyncio.timeout(PATIENCE):
            await started.wait()
        assert bluetoothd.scanners
        await stack.aclose()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(RadioUnavailable):
                await scan


async def test_a_scan_whose_system_bus_dies_ends_within_a_turn(bus: PrivateBus, ether: Ether) -> None:
    started = asyncio.Event()
    async with FakeBluez(ether, bus.address):
        scan = asyncio.ensure_future(radio(turn=0.05).scan(lambda _: None, started=started.set))
        async with asyncio.timeout(PATIENCE):
            await started.wait()
            await bus.die()
            with pytest.raises(RadioUnavailable):
                await scan


async def test_a_scan_goes_on_over_its_turns_and_is_started_once(bus: PrivateBus, ether: Ether) -> None:
    await ether.place(device())
    begun: list[str] = []
    thrice = asyncio.Event()
    async with FakeBluez(ether, bus.address) as bluetoothd, asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        scan = group.create_task(
            radio(turn=0.02).scan(
                lambda _: thrice.set() if bluetoothd.starts >= 3 else None, started=lambda: begun.append("started")
            )
        )
        await thrice.wait()
        scan.cancel()
        await asyncio.wait({scan})

        assert bluetoothd.scanners == set()
    assert begun == ["started"]


async def test_a_scan_that_is_cancelled_while_bluetoothd_begins_it_leaves_none(bus: PrivateBus, ether: Ether) -> None:
    async with FakeBluez(ether, bus.address) as bluetoothd:
        bluetoothd.quick.clear()
        scan = asyncio.ensure_future(radio().scan(lambda _: None, started=lambda: None))
        async with asyncio.timeout(PATIENCE):
            await bluetoothd.asked_to_scan.wait()
            scan.cancel()
            bluetoothd.quick.set()
            with pytest.raises(asyncio.CancelledError):
                await scan

        assert bluetoothd.starts == 1
        assert bluetoothd.scanners == set()


async def test_a_bluetoothd_that_never_answers_is_no_radio(
    bus: PrivateBus, ether: Ether, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(antenna_module, "_SYSTEM_ANSWERS_WITHIN", 0.1)
    async with FakeBluez(ether, bus.address) as bluetoothd, asyncio.timeout(PATIENCE):
        bluetoothd.quick.clear()
        with pytest.raises(RadioUnavailable):
            await radio().scan(lambda _: None, started=lambda: None)


async def test_a_device_that_bluetoothd_forgot_is_not_in_range_and_found_anew_by_the_next_write(
    bus: PrivateBus, ether: Ether
) -> None:
    peripheral = device()
    await ether.place(peripheral)
    over = radio()
    async with FakeBluez(ether, bus.address) as bluetoothd, asyncio.timeout(PATIENCE):
        await seen_once(over)
        bluetoothd.forget_devices()
        with pytest.raises(NotInRange):
            await over.write(ADDRESS, b"{}", connected=lambda: None)
        await over.write(ADDRESS, b"{}", connected=lambda: None)

    assert peripheral.written == [b"{}"]


async def test_a_device_that_never_confirms_is_let_go(
    bus: PrivateBus, ether: Ether, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(antenna_module, "WRITTEN_WITHIN", 0.1)
    await ether.place(device(Trouble.NEVER_ANSWERS))
    over = radio()
    async with FakeBluez(ether, bus.address) as bluetoothd, asyncio.timeout(PATIENCE):
        with pytest.raises(LinkLost):
            await over.write(ADDRESS, b"{}", connected=lambda: None)

        assert bluetoothd.links == 0


def test_a_write_ends_within_thirty_seconds() -> None:
    assert (
        antenna_module.FOUND_WITHIN
        + antenna_module.CONNECTED_WITHIN
        + antenna_module.WRITTEN_WITHIN
        + antenna_module.LET_GO_WITHIN
        < 30
    )
