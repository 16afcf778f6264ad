"""As much of org.bluez as bleak asks for, on a bus of one's own, over a virtual radio."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from bumble.att import ATT_Error
from bumble.core import BaseBumbleError
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.servers.esp32 import heard, spelled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

    from bumble.device import Advertisement, Connection, Peer
    from bumble.gatt_client import CharacteristicProxy

    from tests.servers.esp32 import Ether

ADAPTER: Final = "/org/bluez/hci0"
_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_SERVICE: Final = "org.bluez.GattService1"
_CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
_OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"


class Refusal(Exception):
    """An answer of D-Bus that is an error."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(words)
        self.name = name


class FakeBluez:
    """bluetoothd with one adapter, on the bus at *address*; the central of *ether* is its radio."""

    def __init__(self, ether: Ether, address: str, *, powered: bool = True) -> None:
        self._ether = ether
        self._address = address
        self._powered = powered
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self._links: dict[str, Connection] = {}
        self._connecting: dict[str, asyncio.Task[tuple[Connection, Peer]]] = {}
        self._characteristics: dict[str, CharacteristicProxy[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._bus: MessageBus
        self.scanners: set[str] = set()
        self.starts = 0
        self.quick = asyncio.Event()  # cleared: a scan doesn't begin
        self.quick.set()
        self.asked_to_scan = asyncio.Event()
        self._answers: dict[str, Callable[[Message], Awaitable[tuple[str, list[Any]] | None]]] = {
            "GetManagedObjects": self._managed,
            "SetDiscoveryFilter": self._nothing,
            "StartDiscovery": self._start,
            "StopDiscovery": self._stop,
            "Connect": self._connect,
            "Disconnect": self._disconnect,
            "WriteValue": self._write,
        }

    async def __aenter__(self) -> Self:
        self._objects[ADAPTER] = {
            _ADAPTER: {
                "Address": Variant("s", "C0:C1:C2:C3:C4:C5"),
                "Powered": Variant("b", self._powered),
                "Discovering": Variant("b", False),
                "Roles": Variant("as", ["central"]),
            }
        }
        self._bus = await MessageBus(bus_address=self._address).connect()
        self._bus.add_message_handler(self._on_message)
        self._ether.central.on("advertisement", self._on_advertisement)
        await self._bus.request_name("org.bluez")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ether.central.remove_listener("advertisement", self._on_advertisement)
        for task in tuple(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        self._bus.disconnect()
        with contextlib.suppress(OSError, EOFError):
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        if self._ether.central.scanning:
            await self._ether.central.stop_scanning()

    @property
    def links(self) -> int:
        """How many are open."""
        return len(self._links)

    def forget_devices(self) -> None:
        """As BlueZ does some seconds after a scan."""
        for path in [path for path, interfaces in self._objects.items() if _DEVICE in interfaces]:
            self._remove(path)

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if not self._bus.connected:
            return
        sent = self._bus.send(
            Message(
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
                message_type=MessageType.SIGNAL,
            )
        )
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())  # a bus that died takes none

    def _add(self, path: str, interfaces: dict[str, dict[str, Variant]]) -> None:
        self._objects[path] = interfaces
        self._signal("/", _OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def _remove(self, path: str) -> None:
        self._signal("/", _OBJECTS, "InterfacesRemoved", "oas", [path, list(self._objects.pop(path))])

    def _change(self, path: str, interface: str, properties: dict[str, Variant]) -> None:
        self._objects[path][interface].update(properties)
        self._signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, properties, []])

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        if not self.scanners:
            return
        address = str(advertisement.address)[:17]
        path = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        name, uuids, data = heard(advertisement.data)
        told = {
            "RSSI": Variant("n", max(-127, advertisement.rssi)),
            "ServiceData": Variant("a{sv}", {uuid: Variant("ay", value) for uuid, value in data.items()}),
        }
        if uuids:
            told["UUIDs"] = Variant("as", uuids)
        if name:
            told["Name"] = told["Alias"] = Variant("s", name)
        if path in self._objects:
            self._change(path, _DEVICE, told)
            return
        fresh = {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", address.replace(":", "-")),
            "Adapter": Variant("o", ADAPTER),
            "Paired": Variant("b", False),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "UUIDs": Variant("as", []),
        }
        self._add(path, {_DEVICE: fresh | told})

    def _on_message(self, message: Message) -> bool:
        answer = self._answers.get(message.member or "")
        if message.message_type is not MessageType.METHOD_CALL or answer is None:
            return False
        task = asyncio.ensure_future(self._answer(message, answer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        return True

    async def _answer(
        self, message: Message, answer: Callable[[Message], Awaitable[tuple[str, list[Any]] | None]]
    ) -> None:
        if message.path not in {"/", *self._objects}:
            answer = self._unknown
        try:
            signature, body = await answer(message) or ("", [])
            reply = Message.new_method_return(message, signature, body)
        except Refusal as refusal:
            reply = Message.new_error(message, refusal.name, str(refusal))
        except ATT_Error as error:
            words = f"Operation failed with ATT error: 0x{int(error.error_code):02x}"
            reply = Message.new_error(message, "org.bluez.Error.Failed", words)
        except (BaseBumbleError, TimeoutError, asyncio.CancelledError) as error:
            reply = Message.new_error(message, "org.bluez.Error.Failed", repr(error))
        if self._bus.connected:
            with contextlib.suppress(OSError, EOFError):
                await self._bus.send(reply)

    async def _unknown(self, _: Message) -> None:
        raise Refusal("org.freedesktop.DBus.Error.UnknownObject", "no such object")

    async def _nothing(self, _: Message) -> None:
        pass

    async def _managed(self, _: Message) -> tuple[str, list[Any]]:
        return "a{oa{sa{sv}}}", [self._objects]

    async def _start(self, message: Message) -> None:
        assert message.sender is not None
        self.asked_to_scan.set()
        if message.sender in self.scanners:
            raise Refusal("org.bluez.Error.InProgress", "Operation already in progress")
        await self.quick.wait()
        if not self.scanners:
            await self._ether.central.start_scanning(filter_duplicates=False)
        self.scanners.add(message.sender)
        self.starts += 1

    async def _stop(self, message: Message) -> None:
        assert message.sender is not None
        if message.sender not in self.scanners:
            raise Refusal("org.bluez.Error.Failed", "No discovery started")
        self.scanners.discard(message.sender)
        if not self.scanners:
            await self._ether.central.stop_scanning()

    async def _connect(self, message: Message) -> None:
        path = message.path
        assert path is not None
        address: str = self._objects[path][_DEVICE]["Address"].value
        connecting = self._connecting[path] = asyncio.ensure_future(self._ether.connect(address))
        try:
            connection, peer = await connecting
        finally:
            del self._connecting[path]
        self._links[path] = connection
        connection.on("disconnection", lambda _: self._gone(path))
        self._change(path, _DEVICE, {"Connected": Variant("b", True)})
        for service in peer.services:
            below = f"{path}/service{service.handle:04x}"
            self._add(
                below,
                {
                    _SERVICE: {
                        "UUID": Variant("s", spelled(service.uuid)),
                        "Device": Variant("o", path),
                        "Primary": Variant("b", True),
                        "Includes": Variant("ao", []),
                    }
                },
            )
            for characteristic in service.characteristics:
                place = f"{below}/char{characteristic.handle:04x}"
                self._characteristics[place] = characteristic
                self._add(
                    place,
                    {
                        _CHARACTERISTIC: {
                            "UUID": Variant("s", spelled(characteristic.uuid)),
                            "Service": Variant("o", below),
                            "Value": Variant("ay", b""),
                            "Flags": Variant("as", ["write"]),
                            "Notifying": Variant("b", False),
                            "MTU": Variant("q", connection.att_mtu),
                        }
                    },
                )
        self._change(path, _DEVICE, {"ServicesResolved": Variant("b", True)})

    def _gone(self, path: str) -> None:
        self._links.pop(path, None)
        for below in sorted((each for each in self._objects if each.startswith(f"{path}/")), reverse=True):
            self._characteristics.pop(below, None)
            self._remove(below)
        if path in self._objects:
            off = Variant("b", False)
            self._change(path, _DEVICE, {"Connected": off, "ServicesResolved": off})

    async def _disconnect(self, message: Message) -> None:
        if (connecting := self._connecting.get(message.path or "")) is not None:
            connecting.cancel()
            await asyncio.wait({connecting})
        if (connection := self._links.get(message.path or "")) is not None:
            await connection.disconnect()

    async def _write(self, message: Message) -> None:
        characteristic = self._characteristics.get(message.path or "")
        if characteristic is None:
            raise Refusal("org.bluez.Error.Failed", "Not connected")
        path = (message.path or "").split("/service")[0]
        value, options = message.body
        assert options["type"].value == "request", "settings are written with response"
        writing = asyncio.ensure_future(characteristic.write_value(bytes(value), with_response=True))
        self._links[path].once("disconnection", lambda _: writing.cancel())
        try:
            await writing
        except asyncio.CancelledError:
            raise Refusal("org.bluez.Error.NotConnected", "Not Connected") from None
