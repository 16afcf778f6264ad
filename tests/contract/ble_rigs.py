"""Every `BleTransport`, with the devices in its range in reach."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest
from bleak.backends.bluezdbus.manager import _global_instances

from station_adapters.ble.antenna import Antenna
from station_adapters.ble.bridge import BridgeRadio
from station_adapters.ble.radio import Radio
from station_adapters.ble.virtual import VirtualAir, VirtualRadio
from tests.servers.bleak_bumble import backends
from tests.servers.bluez import FakeBluez
from tests.servers.esp32 import CHARACTERISTIC, SERVICE, Ether
from tests.servers.private_bus import PrivateBus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from station_adapters.ble.virtual import Peripheral
    from station_core.provisioning.ports import BleTransport


class BleRig(Protocol):
    """A radio and its surroundings."""

    @property
    def radio(self) -> BleTransport:
        """The port under test."""
        ...

    async def place(self, peripheral: Peripheral) -> None:
        """Switch on a device."""
        ...

    async def advertise(self, peripheral: Peripheral) -> None:
        """Have it send what it tells by now."""
        ...

    @property
    def scans(self) -> int:
        """How many run."""
        ...

    @property
    def links(self) -> int:
        """How many are open."""
        ...


class VirtualRig:
    """`VirtualRadio`."""

    def __init__(self) -> None:
        self._air = VirtualAir()
        self.radio = VirtualRadio(self._air, SERVICE, every=0.02)

    async def place(self, peripheral: Peripheral) -> None:
        self._air.place(peripheral)

    async def advertise(self, peripheral: Peripheral) -> None:
        self._air.advertise(peripheral)

    @property
    def scans(self) -> int:
        return self._air.scans

    @property
    def links(self) -> int:
        return self._air.links


class EtherRig:
    """A radio in the ether of virtual ESP32s; with *bluez* between them, that knows who scans."""

    def __init__(self, radio: BleTransport, ether: Ether, bluez: FakeBluez | None = None) -> None:
        self.radio = radio
        self._ether = ether
        self._bluez = bluez

    async def place(self, peripheral: Peripheral) -> None:
        await self._ether.place(peripheral)

    async def advertise(self, peripheral: Peripheral) -> None:
        await self._ether.advertise(peripheral)

    @property
    def scans(self) -> int:
        return int(self._ether.central.scanning) + (len(self._bluez.scanners) if self._bluez else 0)

    @property
    def links(self) -> int:
        return len(self._ether.central.connections)


@asynccontextmanager
async def virtual() -> AsyncIterator[BleRig]:
    yield VirtualRig()


@asynccontextmanager
async def bleak() -> AsyncIterator[BleRig]:
    """By bleak's public `backend=`."""
    async with Ether() as ether:
        scanner, client = backends(ether)
        antenna = Antenna(scanner=scanner, client=client, found_within=0.3)
        yield EtherRig(Radio(lambda: antenna, service_uuid=SERVICE, characteristic_uuid=CHARACTERISTIC), ether)


@asynccontextmanager
async def bluez() -> AsyncIterator[BleRig]:
    """By bleak's own backend for Linux."""
    async with system_bus() as bus, Ether() as ether, FakeBluez(ether, bus.address) as fake:
        yield EtherRig(
            Radio(lambda: Antenna(found_within=0.3), service_uuid=SERVICE, characteristic_uuid=CHARACTERISTIC),
            ether,
            fake,
        )


@asynccontextmanager
async def bridge() -> AsyncIterator[BleRig]:
    """By the child process, in which bleak's own backend for Linux works."""
    async with PrivateBus() as bus, Ether() as ether, FakeBluez(ether, bus.address) as fake:
        with on_bus(bus.address):
            yield EtherRig(BridgeRadio(service_uuid=SERVICE, characteristic_uuid=CHARACTERISTIC), ether, fake)


@asynccontextmanager
async def system_bus() -> AsyncIterator[PrivateBus]:
    """A private bus that bleak in this process takes for the system's; what bleak keeps open ends with it."""
    async with PrivateBus() as bus:
        with on_bus(bus.address):
            try:
                yield bus
            finally:
                await leave_bus()


@contextmanager
def on_bus(address: str) -> Iterator[None]:
    """Meanwhile *address* is the system bus, for this process and its children."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield


async def leave_bus() -> None:
    """Close the connection that bleak keeps per event loop."""
    manager = _global_instances.get(asyncio.get_running_loop())
    if manager is None:
        return
    if manager._bus is not None:
        manager._bus.disconnect()
    if manager._bus_watcher_task is not None:
        await manager._bus_watcher_task
