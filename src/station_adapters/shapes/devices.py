"""Devices and their types as more than one wire shows them (docs/protocols.md §4); times are RFC 3339 UTC."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from station_core.devices.model import Status  # noqa: TC001  # same
from station_core.devices.types import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.devices.model import Device
    from station_core.devices.types import Capability, DeviceType, Parameter

WireKind = Literal["number", "boolean", "string"]


_WIRE: Final[Mapping[Kind, WireKind]] = {
    Kind.NUMBER: "number",
    Kind.INTEGER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.STRING: "string",
}


class DeviceOut(msgspec.Struct, rename="camel"):
    """A device."""

    id: str
    external_id: str
    name: str
    type: str
    status: Status
    state: dict[str, Any] = msgspec.field(name="lastKnownState")
    zone_id: str | None
    firmware_version: str | None
    chip: str | None
    last_heartbeat_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CapabilityOut(msgspec.Struct, omit_defaults=True):
    """Something that a type of device reports."""

    key: str
    type: WireKind
    unit: str | None = None
    min: float | None = None
    max: float | None = None


class ParameterOut(msgspec.Struct, omit_defaults=True):
    """Something that a command carries."""

    name: str
    type: WireKind
    required: bool
    min: float | None = None
    max: float | None = None


class CommandTypeOut(msgspec.Struct):
    """A command that a type of device knows."""

    action: str
    parameters: list[ParameterOut]


class DeviceTypeOut(msgspec.Struct):
    """A type of device."""

    id: str
    category: str
    periodic: bool
    capabilities: list[CapabilityOut]
    commands: list[CommandTypeOut]
    events: list[str]


def device_out(device: Device) -> DeviceOut:
    """A device as the wire has it."""
    return msgspec.convert(device, DeviceOut, from_attributes=True)


def device_type_out(kind: DeviceType) -> DeviceTypeOut:
    """A type of device as the wire has it."""
    return DeviceTypeOut(
        id=kind.id,
        category=kind.category,
        periodic=kind.periodic,
        capabilities=[_capability(one) for one in kind.capabilities],
        commands=[
            CommandTypeOut(action=one.action, parameters=[_parameter(p) for p in one.parameters])
            for one in kind.commands
        ],
        events=list(kind.events),
    )


def _capability(one: Capability) -> CapabilityOut:
    return CapabilityOut(key=one.key, type=_WIRE[one.type], unit=one.unit, min=one.min, max=one.max)


def _parameter(one: Parameter) -> ParameterOut:
    return ParameterOut(name=one.name, type=_WIRE[one.type], required=one.required, min=one.min, max=one.max)
