"""About the household's devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_app.orders.order import Nothing, Order
from station_core.audit.model import INSTALLER
from station_core.errors import DeviceUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.devices.model import Device
    from station_core.home import Home

APPLIED_WITHIN: Final = 25.0  # seconds that one may wait at most for a device to show a command's effect


class NewDevice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What a person says of a new device."""

    external_id: str
    name: str
    type: str


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """A device by its id or external id."""

    device: str


class Command(msgspec.Struct, forbid_unknown_fields=True):
    """A flat command for a device; *wait*: seconds for its effect to show."""

    device: str
    command: dict[str, Any]
    wait: float = 0.0


async def listed(home: Home, _: Nothing) -> list[dict[str, Any]]:
    """All, by name."""
    return [told(device) for device in home.household.devices()]


async def add(home: Home, new: NewDevice) -> dict[str, Any]:
    """A new one and its token, which is shown this once."""
    device, token = await home.household.add(external_id=new.external_id, name=new.name, type_id=new.type, by=INSTALLER)
    return {**told(device), "deviceToken": token}


async def remove(home: Home, which: Which) -> dict[str, Any]:
    """Forget it."""
    device = found(home, which.device)
    await home.household.remove(device.id, by=INSTALLER)
    return told(device)


async def command(home: Home, wanted: Command) -> dict[str, Any]:
    """Sent once the broker has it, applied once the device shows the effect in time."""
    device = found(home, wanted.device)
    if wanted.wait <= 0:
        return {"status": "sent", "commandId": await home.commands.send(device.id, wanted.command, actor=INSTALLER)}
    command_id, shown = await home.watch.send(
        device.id, wanted.command, actor=INSTALLER, within=min(wanted.wait, APPLIED_WITHIN)
    )
    if shown is None:
        return {"status": "sent", "commandId": command_id}
    effect = {"capability": shown.capability, "value": shown.value}
    return {"status": "applied", "commandId": command_id, "effect": effect}


def found(home: Home, wanted: str) -> Device:
    """The device of this id or external id, or raise `DeviceUnknown`."""
    for device in home.household.devices():
        if wanted in {device.id, device.external_id}:
            return device
    raise DeviceUnknown


def told(device: Device) -> dict[str, Any]:
    """What the operator sees of a device."""
    return {
        "id": device.id,
        "externalId": device.external_id,
        "name": device.name,
        "type": device.type,
        "status": device.status,
        "zoneId": device.zone_id,
        "firmwareVersion": device.firmware_version,
        "lastHeartbeatAt": device.last_heartbeat_at,
        "lastKnownState": dict(device.state),
    }


ORDERS: Final[Mapping[str, Order]] = {
    "device list": Order(wants=Nothing, carry_out=listed),
    "device add": Order(wants=NewDevice, carry_out=add),
    "device remove": Order(wants=Which, carry_out=remove),
    "device command": Order(wants=Command, carry_out=command, live=True),
}
