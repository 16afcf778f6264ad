"""The shapes of docs/protocols.md §4: camelCase; times are RFC 3339 UTC. Keys that we don't know are ignored."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING, Any

import msgspec

from station_adapters.shapes.devices import DeviceOut, device_out
from station_core.identity.model import Role  # noqa: TC001  # same

if TYPE_CHECKING:
    from station_core.devices.activity import ActivityPage
    from station_core.devices.model import Device
    from station_core.identity.model import Login, User


class DeviceWithToken(DeviceOut, rename="camel"):
    """A device that was just added; the token is shown this once."""

    device_token: str


class DeviceToken(msgspec.Struct, rename="camel"):
    """A fresh token of a device; it's shown this once."""

    device_token: str


class DeviceIn(msgspec.Struct, rename="camel"):
    """A device to add."""

    external_id: str
    name: str
    type: str
    zone_id: str | None = None


class DevicePatch(msgspec.Struct, rename="camel"):
    """What may be changed of a device; what isn't there stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    zone_id: str | msgspec.UnsetType | None = msgspec.UNSET


class ZoneIn(msgspec.Struct):
    """A zone to add, or its other name."""

    name: str


class ZoneOut(msgspec.Struct):
    """A zone of the home."""

    id: str
    name: str


class ZonePage(msgspec.Struct, rename="camel"):
    """Some zones by name; the cursor asks for those after them."""

    items: list[ZoneOut]
    next_cursor: str | None


class ActivityOut(msgspec.Struct, rename="camel"):
    """A line of the feed."""

    id: str
    device_id: str
    device_name: str
    device_type: str
    event_type: str
    payload: dict[str, Any]
    created_at: datetime


class ActivityPageOut(msgspec.Struct, rename="camel"):
    """Some lines, newest first; the cursor asks for those before them."""

    items: list[ActivityOut]
    next_cursor: str | None


class RegistrationStatus(msgspec.Struct, rename="camel"):
    """Whether the station waits for its owner."""

    is_registration_open: bool
    has_admin: bool


class Registration(msgspec.Struct):
    """The first user; a role that somebody writes here isn't even read."""

    email: str
    password: str
    name: str | None = None
    device: str | None = None


class RefreshToken(msgspec.Struct, rename="camel"):
    """A session that is to go on, or to end; without a token it's the caller's own."""

    refresh_token: str | None = None


class UserOut(msgspec.Struct, rename="camel"):
    """A person."""

    id: str
    email: str
    name: str
    role: Role
    created_at: datetime


class LoginOut(msgspec.Struct, rename="camel"):
    """A person and their tokens."""

    user: UserOut
    access_token: str
    refresh_token: str


class Tokens(msgspec.Struct, rename="camel"):
    """A fresh pair."""

    access_token: str
    refresh_token: str


class StateIn(msgspec.Struct):
    """A report, as on MQTT (docs/protocols.md §1)."""

    state: dict[str, Any]


class EventIn(msgspec.Struct):
    """An event, as on MQTT."""

    event: str
    data: dict[str, Any]


class Accepted(msgspec.Struct):
    """What the device said is kept."""

    status: str = "ok"


def device_with_token(device: Device, token: str) -> DeviceWithToken:
    """A device that was just added."""
    return DeviceWithToken(**msgspec.structs.asdict(device_out(device)), device_token=token)


def activity_page(page: ActivityPage) -> ActivityPageOut:
    """A page of the feed."""
    return msgspec.convert(page, ActivityPageOut, from_attributes=True)


def user_out(user: User) -> UserOut:
    """A person."""
    return msgspec.convert(user, UserOut, from_attributes=True)


def login_out(login: Login) -> LoginOut:
    """A person and their tokens."""
    return msgspec.convert(login, LoginOut, from_attributes=True)
