"""The machine's own Bluetooth; the only file that knows bleak."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from bleak import BleakClient, BleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from station_adapters.ble.advert import ADDRESSES, Advertisement
from station_core.errors import RadioUnavailable, StationError
from station_core.provisioning.errors import ConnectFailed, LinkLost, NotInRange, ServiceMissing, WriteRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Any

    from bleak.backends.client import BaseBleakClient
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

    from station_adapters.ble.radio import Mailbox

log = logging.getLogger("station.ble")
# At debug bleak logs what is written to a device: the home's Wi-Fi password and the device's token.
logging.getLogger("bleak").setLevel(logging.INFO)

TURN: Final = 10.0  # seconds until a scan is begun anew, which is when the end of a dead one shows
FOUND_WITHIN: Final = 6.0  # seconds, of a device that the scan did not keep
CONNECTED_WITHIN: Final = 11.0  # seconds, its services among it
WRITTEN_WITHIN: Final = 8.0  # seconds
LET_GO_WITHIN: Final = 3.0  # seconds
_SYSTEM_ANSWERS_WITHIN: Final = 5.0  # seconds, to a start or stop of a scan

# What the bus or bluetoothd says when there is no bluetoothd, or no adapter that is on.
_NO_RADIO: Final = frozenset(
    {
        "org.bluez.Error.NotReady",
        "org.freedesktop.DBus.Error.Disconnected",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.ServiceUnknown",
    }
)
_DEVICE_SAYS_NO: Final = frozenset({"org.bluez.Error.InvalidValueLength", "org.bluez.Error.NotPermitted"})


class Antenna:
    """
    What the radio hears, not understood yet, and writes to a mailbox.

    Tests give *scanner* and *client*, backends of bleak, and shorter times.
    """

    def __init__(
        self,
        *,
        scanner: type[BaseBleakScanner] | None = None,
        client: type[BaseBleakClient] | None = None,
        turn: float = TURN,
        found_within: float = FOUND_WITHIN,
    ) -> None:
        self._scanner = scanner
        self._client = client
        self._turn = turn
        self._found_within = found_within
        self._devices: OrderedDict[str, BLEDevice] = OrderedDict()
        self._sought: dict[str, asyncio.Event] = {}
        self._one_scan = asyncio.Lock()

    async def listen(self, heard: Callable[[Advertisement], None], *, started: Callable[[], None]) -> None:
        """As `BleTransport.scan`, with each advertisement as it comes."""
        listening = False

        def begin() -> None:
            nonlocal listening
            if not listening:
                listening = True
                started()

        def detected(advertisement: Advertisement) -> None:
            begin()
            heard(advertisement)

        while True:
            # bleak never tells that BlueZ ended a scan (bluetoothd died, adapter pulled): stopping or starting does.
            async with self._scanning(detected):
                begin()
                await asyncio.sleep(self._turn)

    async def write(self, mailbox: Mailbox, payload: bytes, *, connected: Callable[[], None]) -> None:
        """As `BleTransport.write`."""
        device = self._devices.get(mailbox.address) or await self._find(mailbox.address)
        client = BleakClient(device, timeout=CONNECTED_WITHIN, backend=self._client)
        try:
            with _vendor_errors(ConnectFailed):
                async with asyncio.timeout(CONNECTED_WITHIN):
                    await client.connect()
            connected()
            with _vendor_errors(LinkLost):
                service = client.services.get_service(mailbox.service_uuid)
                characteristic = service.get_characteristic(mailbox.characteristic_uuid) if service else None
                if characteristic is None:
                    raise ServiceMissing
                async with asyncio.timeout(WRITTEN_WITHIN):
                    await client.write_gatt_char(characteristic, payload, response=True)
        except (NotInRange, ConnectFailed):
            self._devices.pop(mailbox.address, None)  # the next attempt looks for it anew
            raise
        finally:
            await self._let_go(client)

    async def _find(self, address: str) -> BLEDevice:
        self._sought[address] = heard = asyncio.Event()
        try:
            async with contextlib.AsyncExitStack() as stack:
                if not self._one_scan.locked():  # else the scan that runs hears it
                    await stack.enter_async_context(self._scanning(lambda _: None))
                async with asyncio.timeout(self._found_within):
                    await heard.wait()
        except TimeoutError:
            raise NotInRange from None
        finally:
            del self._sought[address]
        return self._devices[address]

    @contextlib.asynccontextmanager
    async def _scanning(self, detected: Callable[[Advertisement], None]) -> AsyncIterator[None]:
        def take(device: BLEDevice, data: AdvertisementData) -> None:
            self._devices[device.address] = device
            self._devices.move_to_end(device.address)
            if len(self._devices) > ADDRESSES:
                self._devices.popitem(last=False)
            if (heard := self._sought.get(device.address)) is not None:
                heard.set()
            detected(_advertisement(device, data))

        async with self._one_scan:  # BlueZ refuses a process its second
            scanner = BleakScanner(take, backend=self._scanner)
            try:
                with _vendor_errors(RadioUnavailable):
                    await _whole(scanner.start())
                yield
            except BaseException:
                with contextlib.suppress(RadioUnavailable):  # what ends the scan says more
                    await self._stop(scanner)
                raise
            await self._stop(scanner)

    async def _stop(self, scanner: BleakScanner) -> None:
        with _vendor_errors(RadioUnavailable):
            async with asyncio.timeout(_SYSTEM_ANSWERS_WITHIN):
                await scanner.stop()

    async def _let_go(self, client: BleakClient) -> None:
        try:
            with _vendor_errors(LinkLost):
                async with asyncio.timeout(LET_GO_WITHIN):
                    await client.disconnect()
        except StationError as error:  # what became of the write is known already
            log.info("a device was let go uncleanly: %s", error)


def _advertisement(device: BLEDevice, data: AdvertisementData) -> Advertisement:
    return Advertisement(
        address=device.address,
        rssi=data.rssi,
        name=data.local_name,
        service_uuids=tuple(uuid.lower() for uuid in data.service_uuids),
        service_data={uuid.lower(): bytes(value) for uuid, value in data.service_data.items()},
    )


async def _whole(start: Coroutine[Any, Any, None]) -> None:
    """Cancelled half-way, bleak forgets a scan that BlueZ has begun: so let it begin before the cancelling goes on."""
    async with asyncio.timeout(_SYSTEM_ANSWERS_WITHIN):
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(start)
            try:
                await asyncio.shield(starting)
            except asyncio.CancelledError:
                await asyncio.wait({starting}, timeout=_SYSTEM_ANSWERS_WITHIN)
                raise


@contextlib.contextmanager
def _vendor_errors(otherwise: type[StationError]) -> Iterator[None]:
    """Say in ours what bleak and the bus say; *otherwise* is what a failure at this point means."""
    writing = otherwise is LinkLost
    try:
        yield
    except ExceptionGroup as failed:
        with _vendor_errors(otherwise):
            raise failed.exceptions[0] from None
    except BleakBluetoothNotAvailableError as error:
        raise RadioUnavailable from error
    except BleakDeviceNotFoundError as error:
        raise NotInRange from error
    except BleakCharacteristicNotFoundError as error:
        raise ServiceMissing from error
    except BleakGATTProtocolError as error:
        raise (WriteRefused if writing else otherwise)(f"The device refused: {error}.") from error
    except BleakDBusError as error:
        if error.dbus_error in _NO_RADIO:
            raise RadioUnavailable from error
        raise (WriteRefused if writing and error.dbus_error in _DEVICE_SAYS_NO else otherwise) from error
    except (BleakError, TimeoutError) as error:
        forgotten = otherwise is ConnectFailed and str(error).endswith("not found")  # BlueZ's object of it is gone
        raise (NotInRange if forgotten else otherwise) from error
    except (OSError, EOFError) as error:  # no system bus, or one that ended
        raise RadioUnavailable from error
