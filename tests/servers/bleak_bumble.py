"""Backends for bleak's public `backend=` argument, straight on a virtual radio: no D-Bus in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.core import BaseBumbleError

from tests.servers.esp32 import heard, spelled

if TYPE_CHECKING:
    from bumble.device import Advertisement, Connection

    from tests.servers.esp32 import Ether


def backends(ether: Ether) -> tuple[type[BaseBleakScanner], type[BaseBleakClient]]:  # noqa: C901  # two small classes
    """A scanner and a client whose radio is the central of *ether*."""
    seen: set[str] = set()
    central = ether.central

    class Scanner(BaseBleakScanner):
        def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: Any, **_: Any) -> None:
            del scanning_mode
            super().__init__(detection_callback, service_uuids)

        def _on_advertisement(self, advertisement: Advertisement) -> None:
            address = str(advertisement.address)[:17]
            seen.add(address)
            name, uuids, data = heard(advertisement.data)
            told = AdvertisementData(name, {}, data, uuids, None, advertisement.rssi, ())
            device = self.create_or_update_device(address, address, name, None, told)
            self.call_detection_callbacks(device, told)

        async def start(self) -> None:
            self.seen_devices = {}
            central.on("advertisement", self._on_advertisement)
            await central.start_scanning(filter_duplicates=False)

        async def stop(self) -> None:
            if central.scanning:
                central.remove_listener("advertisement", self._on_advertisement)
                await central.stop_scanning()

    class Client(BaseBleakClient):
        def __init__(self, address_or_ble_device: Any, services: Any = None, **kwargs: Any) -> None:
            del services
            super().__init__(
                address_or_ble_device, disconnected_callback=kwargs["disconnected_callback"], timeout=kwargs["timeout"]
            )
            self._link: Connection | None = None

        @property
        def name(self) -> str:
            return self.address

        @property
        def mtu_size(self) -> int:
            return self._link.att_mtu if self._link else 23

        @property
        def is_connected(self) -> bool:
            return self._link is not None

        async def connect(self, pair: bool, **_: Any) -> None:  # noqa: FBT001  # bleak's signature
            del pair
            if self.address not in seen:
                raise BleakDeviceNotFoundError(self.address, "not seen")
            try:
                self._link, peer = await ether.connect(self.address)
            except BaseBumbleError as error:
                raise BleakError(str(error)) from error
            self._link.on("disconnection", self._gone)
            self.services = BleakGATTServiceCollection()
            for service in peer.services:
                above = BleakGATTService(service, service.handle, spelled(service.uuid))
                self.services.add_service(above)
                for each in service.characteristics:
                    self.services.add_characteristic(
                        BleakGATTCharacteristic(
                            each, each.handle, spelled(each.uuid), ["write"], lambda: self.mtu_size - 3, above
                        )
                    )

        def _gone(self, _: object) -> None:
            self._link = None
            if self._disconnected_callback is not None:
                self._disconnected_callback()

        async def disconnect(self) -> None:
            if self._link is not None:
                await self._link.disconnect()

        async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: Any, response: bool) -> None:  # noqa: FBT001
            try:
                await characteristic.obj.write_value(bytes(data), with_response=response)
            except ATT_Error as error:
                raise BleakGATTProtocolError(int(error.error_code)) from error
            except BaseBumbleError as error:
                raise BleakError(str(error)) from error
            except asyncio.CancelledError:  # so Bumble ends a request whose link is gone
                if self.is_connected:
                    raise
                raise BleakError("Not connected") from None

        async def pair(self, *_: Any, **__: Any) -> None:
            raise NotImplementedError

        async def unpair(self) -> None:
            raise NotImplementedError

        async def read_gatt_char(self, *_: Any, **__: Any) -> bytearray:
            raise NotImplementedError

        async def read_gatt_descriptor(self, *_: Any, **__: Any) -> bytearray:
            raise NotImplementedError

        async def write_gatt_descriptor(self, *_: Any, **__: Any) -> None:
            raise NotImplementedError

        async def start_notify(self, *_: Any, **__: Any) -> None:
            raise NotImplementedError

        async def stop_notify(self, *_: Any, **__: Any) -> None:
            raise NotImplementedError

    return Scanner, Client
