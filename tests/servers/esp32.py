"""Virtual ESP32s with a real Bluetooth stack (Bumble), and a central beside them; no hardware, no kernel Bluetooth."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from bumble.att import ATT_Error, ErrorCode
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink

from station_adapters.ble.virtual import Peripheral, Trouble

if TYPE_CHECKING:
    from typing import Self

SERVICE: Final = "12c158d5-220f-4be9-b46a-a235f44c412a"
CHARACTERISTIC: Final = "85e4cb5a-4718-47e3-b363-b2d82655ee1e"
MTU: Final = 185  # bytes: what is longer takes a long write
ADVERTISED_EVERY: Final = 20.0  # milliseconds
CONNECTED_WITHIN: Final = 1.0  # seconds
LEGACY_LIMIT: Final = 31  # bytes of an advertisement; LocalLink carries no scan responses


class Ether:
    """Devices and one central within reach of each other."""

    def __init__(self) -> None:
        self._link = LocalLink()  # type: ignore[no-untyped-call]
        self._devices: dict[str, Device] = {}
        self._closed: set[str] = set()
        self.central = self._device("C0:C1:C2:C3:C4:C5")

    async def __aenter__(self) -> Self:
        await self.central.power_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.central.scanning:
            await self.central.stop_scanning()
        for device in (*self._devices.values(), self.central):
            for connection in tuple(device.connections.values()):
                with contextlib.suppress(BaseBumbleError):
                    await connection.disconnect()
            if device.is_advertising:
                await device.stop_advertising()
        await asyncio.sleep(0.1)  # LocalLink answers the last commands by call_soon, and tells of no end

    async def place(self, peripheral: Peripheral) -> None:
        """Switch on a device that does as *peripheral* says; it advertises from now on."""
        device = self._devices[peripheral.address] = self._device(peripheral.address)
        if peripheral.trouble is Trouble.TAKES_NO_CONNECTION:
            self._closed.add(peripheral.address)
        if peripheral.trouble is not Trouble.HAS_NO_SERVICE:
            device.add_service(Service(SERVICE, [_characteristic(peripheral)]))
        await device.power_on()
        await self.advertise(peripheral)

    async def advertise(self, peripheral: Peripheral) -> None:
        """Advertise what *peripheral* tells by now."""
        device = self._devices[peripheral.address]
        if device.is_advertising:
            await device.stop_advertising()
        if peripheral.trouble is Trouble.OUT_OF_RANGE:
            return
        device.advertising_data = _packet(peripheral)
        device.advertising_interval_min = device.advertising_interval_max = ADVERTISED_EVERY
        await device.start_advertising(auto_restart=True)

    async def connect(self, address: str) -> tuple[Connection, Peer]:
        """A link from the central, its services discovered."""
        if address in self._closed:
            await self._devices[address].stop_advertising()
        async with asyncio.timeout(CONNECTED_WITHIN):
            connection = await self.central.connect(Address(address), timeout=CONNECTED_WITHIN)
        try:
            peer = Peer(connection)
            await peer.request_mtu(MTU)
            await peer.discover_services()
            await peer.discover_characteristics()
        except BaseException:
            with contextlib.suppress(BaseBumbleError):
                await connection.disconnect()
            raise
        return connection, peer

    def _device(self, address: str) -> Device:
        controller = Controller(address, link=self._link)
        return Device(name=address, address=Address(address), host=Host(controller, controller))


def spelled(uuid: UUID) -> str:
    """As BlueZ and bleak write it."""
    text = uuid.to_hex_str("-").lower()
    return text if len(text) == 36 else f"{int(text, 16):08x}-0000-1000-8000-00805f9b34fb"


def heard(data: AdvertisingData) -> tuple[str | None, list[str], dict[str, bytes]]:
    """Name, services and service data of an advertisement."""
    name, uuids, service_data = None, [], {}
    for kind, value in data.ad_structures:
        match kind:
            case AdvertisingData.COMPLETE_LOCAL_NAME:
                name = bytes(value).decode()
            case AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS:
                uuids.append(spelled(UUID.from_bytes(bytes(value))))
            case AdvertisingData.SERVICE_DATA_128_BIT_UUID:
                service_data[spelled(UUID.from_bytes(bytes(value[:16])))] = bytes(value[16:])
            case _:
                pass
    return name, uuids, service_data


def _characteristic(peripheral: Peripheral) -> Characteristic[Any]:
    async def write(connection: Connection, value: bytes) -> None:
        match peripheral.trouble:
            case Trouble.REFUSES:
                raise ATT_Error(ErrorCode.WRITE_NOT_PERMITTED)
            case Trouble.HANGS_UP_BEFORE:
                await connection.disconnect()
            case Trouble.HANGS_UP_DURING:
                peripheral.take(bytes(value))
                await connection.disconnect()
            case Trouble.NEVER_ANSWERS:
                peripheral.take(bytes(value))
                await asyncio.Event().wait()
            case _:
                peripheral.take(bytes(value))
                if peripheral.trouble is Trouble.HANGS_UP_AFTER:
                    asyncio.get_running_loop().call_soon(_hang_up, connection)

    return Characteristic(
        CHARACTERISTIC, Characteristic.Properties.WRITE, Characteristic.WRITEABLE, CharacteristicValue(write=write)
    )


_hanging_up: set[asyncio.Task[None]] = set()


def _hang_up(connection: Connection) -> None:
    task = asyncio.ensure_future(connection.disconnect())
    _hanging_up.add(task)
    task.add_done_callback(_hanging_up.discard)


def _packet(peripheral: Peripheral) -> bytes:
    parts = [(AdvertisingData.FLAGS, b"\x06")]
    parts += [
        (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, UUID(uuid).to_bytes())
        for uuid in peripheral.service_uuids
    ]
    parts += [
        (AdvertisingData.SERVICE_DATA_128_BIT_UUID, UUID(uuid).to_bytes() + value)
        for uuid, value in peripheral.service_data.items()
    ]
    if peripheral.name is not None:
        parts.append((AdvertisingData.COMPLETE_LOCAL_NAME, peripheral.name.encode()))
    packet = bytes(AdvertisingData(parts))
    assert len(packet) <= LEGACY_LIMIT, packet
    return packet
