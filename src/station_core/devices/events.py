"""What happens to devices (docs/protocols.md §5); names and fields are the wire's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from station_core.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.devices.model import Device, Status
    from station_core.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStateChanged(Event):
    """A report was accepted; *state* is the merged state. One for every report, also when nothing changed."""

    device_id: str
    state: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDeviceEvent(Event):
    """An event that stays readable after its device is gone: it carries the name and type of its time."""

    device_id: str
    device_name: str
    device_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStateTransition(NamedDeviceEvent):
    """A boolean capability flipped between two reports."""

    capability_key: str
    old_value: Value
    new_value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatusChanged(NamedDeviceEvent):
    """The device came or went."""

    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEventReceived(NamedDeviceEvent):
    """The device told an event, or a transition stood for one; *event* is `device_event` or `user_event`."""

    event: str
    data: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCommandSent(NamedDeviceEvent):
    """The broker has a command for the device; *command* is the flat object, *actor* who wanted it."""

    command: Mapping[str, Value]
    command_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHandshakeReceived(Event):
    """The device introduced itself."""

    device_id: str
    kit_tag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAdded(Event):
    """The station has a new device."""

    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUpdated(Event):
    """Name, zone, type, firmware or chip changed."""

    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDeleted(Event):
    """The station forgot a device."""

    device_id: str
    device_name: str
