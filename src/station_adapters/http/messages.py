"""What a live socket says and hears (docs/protocols.md §4, "Live socket"); no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import Any, Final, Literal, TypeAlias

import msgspec

from station_adapters.http.provisioning_schemas import CandidateOut  # noqa: TC001  # msgspec reads the fields' types
from station_adapters.shapes.devices import DeviceOut, device_out
from station_core.devices import events as told
from station_core.devices.model import Status  # noqa: TC001  # same
from station_core.events import Event, LinkStatusChanged

LINKS: Final = frozenset({"mqtt", "cloud", "ble", "store"})


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


class _Broadcast(msgspec.Struct, rename="camel", tag_field="type", tag=_snake):
    seq: int


class DeviceStateChanged(_Broadcast):
    """See §5."""

    device_id: str
    state: Mapping[str, Any]
    timestamp: datetime


class DeviceStateTransition(_Broadcast):
    """See §5."""

    device_id: str
    device_name: str
    device_type: str
    capability_key: str
    old_value: Any
    new_value: Any
    timestamp: datetime


class DeviceStatusChanged(_Broadcast):
    """See §5."""

    device_id: str
    device_name: str
    device_type: str
    status: Status
    timestamp: datetime


class DeviceEventReceived(_Broadcast):
    """See §5."""

    device_id: str
    device_name: str
    device_type: str
    event: str
    data: Mapping[str, Any]
    timestamp: datetime


class DeviceCommandSent(_Broadcast):
    """See §5."""

    device_id: str
    device_name: str
    command: Mapping[str, Any]
    timestamp: datetime


class DeviceDeleted(_Broadcast):
    """See §5."""

    device_id: str
    device_name: str


class DeviceAdded(_Broadcast):
    """A new device."""

    device: DeviceOut


class DeviceUpdated(_Broadcast):
    """Its name, zone, type, firmware or chip changed."""

    device: DeviceOut


class LinkStatus(_Broadcast):
    """A part went or came back."""

    link: str
    status: Literal["up", "down"]


class Snapshot(msgspec.Struct, tag_field="type", tag="snapshot"):
    """Everything as of message *seq* of the stream."""

    devices: Sequence[DeviceOut]
    candidates: Sequence[CandidateOut]
    seq: int


class Auth(msgspec.Struct, tag_field="type", tag="auth"):
    """Who listens, without a token the handshake's cookie; *batch*: a frame may be an array of messages."""

    token: str | None = None
    batch: bool = False


class ProvisioningStart(msgspec.Struct, tag_field="type", tag="provisioning_start"):
    """Look for new devices."""


class ProvisioningStop(msgspec.Struct, tag_field="type", tag="provisioning_stop"):
    """Don't, as far as I'm concerned."""


class Ping(msgspec.Struct, tag_field="type", tag="ping"):
    """Are you there?"""


Heard: TypeAlias = Auth | ProvisioningStart | ProvisioningStop | Ping

PONG: Final = '{"type":"pong"}'


def error(code: str) -> str:
    """What a client is told that said something wrong."""
    return _encode({"type": "error", "code": code}).decode()


def snapshot(devices: Sequence[DeviceOut], candidates: Sequence[CandidateOut], seq: int) -> str:
    """The first message after `auth`."""
    return _encode(Snapshot(devices=devices, candidates=candidates, seq=seq)).decode()


def is_broadcast(event: Event) -> bool:
    """Whether the stream tells of it, and so counts it."""
    return type(event) in _MESSAGES or (isinstance(event, LinkStatusChanged) and event.link in LINKS)


def broadcast(event: Event, seq: int) -> bytes:
    """A message of the stream."""
    return _encode(_message(event, seq))


def _message(event: Event, seq: int) -> _Broadcast:
    match event:
        case told.DeviceStateChanged():  # by far the commonest
            return DeviceStateChanged(seq, event.device_id, event.state, event.timestamp)
        case told.DeviceAdded():
            return DeviceAdded(seq, device_out(event.device))
        case told.DeviceUpdated():
            return DeviceUpdated(seq, device_out(event.device))
        case LinkStatusChanged():
            return LinkStatus(seq, event.link, "up" if event.up else "down")
        case _:
            kind = _MESSAGES[type(event)]
            fields = kind.__struct_fields__[1:]
            return kind(seq, *(getattr(event, field) for field in fields))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError  # as msgspec wants it


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode

_MESSAGES: Final[Mapping[type[Event], type[_Broadcast]]] = {
    told.DeviceStateChanged: DeviceStateChanged,
    told.DeviceStateTransition: DeviceStateTransition,
    told.DeviceStatusChanged: DeviceStatusChanged,
    told.DeviceEventReceived: DeviceEventReceived,
    told.DeviceCommandSent: DeviceCommandSent,
    told.DeviceDeleted: DeviceDeleted,
    told.DeviceAdded: DeviceAdded,
    told.DeviceUpdated: DeviceUpdated,
}
