"""The methods that the cloud calls (docs/protocols.md §3), over the services that HTTP uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from station_adapters.shapes.devices import DeviceOut, DeviceTypeOut, device_out, device_type_out
from station_core.audit.model import CLOUD
from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_adapters.cloud.jsonrpc import Params
    from station_adapters.cloud.line import Method
    from station_core.home import Home

S = TypeVar("S", bound=msgspec.Struct)


class Command(msgspec.Struct, rename="camel"):
    """A command for a device: the name of an action, or a flat object."""

    device_id: str
    command: str | dict[str, Any]


class Choice(msgspec.Struct):
    """What the cloud wants to hear of."""

    channels: list[str]


class Snapshot(msgspec.Struct):
    """All devices, as of what the cloud was told so far."""

    devices: list[DeviceOut]


class Types(msgspec.Struct, rename="camel"):
    """What kinds of device there are."""

    device_types: list[DeviceTypeOut]


def methods(home: Home) -> Mapping[str, Method]:
    """By their names; each raises what its service raises, and `Malformed` for params of a wrong shape."""
    types = Types(device_types=[device_type_out(kind) for kind in home.devices.types])

    async def send_command(params: Params) -> dict[str, str]:
        wanted = _read(params, Command)
        command = {"action": wanted.command} if isinstance(wanted.command, str) else wanted.command
        # Whoever holds the phone: the cloud has authenticated them, and doesn't say who it is.
        await home.commands.send(wanted.device_id, command, actor=CLOUD)
        return {"status": "ok"}

    async def snapshot(_: Params) -> Snapshot:
        return Snapshot(devices=[device_out(device) for device in home.household.told()])

    async def list_types(_: Params) -> Types:
        return types

    async def set_active_channels(params: Params) -> dict[str, bool]:
        await home.channels.choose(_read(params, Choice).channels)
        return {"ok": True}

    return {
        "device.command": send_command,
        "devices.snapshot": snapshot,
        "device_types.list": list_types,
        "station.setActiveChannels": set_active_channels,
    }


def _read(params: Params, shape: type[S]) -> S:
    try:
        return msgspec.convert(params, shape)
    except msgspec.ValidationError as error:
        raise Malformed(f"params: {error}") from None
