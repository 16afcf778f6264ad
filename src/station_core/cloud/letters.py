"""What goes up to the cloud: which event as which notification, and what of it has to give way first."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from station_core.cloud.channels import METHODS, EventChannel
from station_core.devices.events import (
    DeviceCommandSent,
    DeviceDeleted,
    DeviceEventReceived,
    DeviceStateChanged,
    DeviceStateTransition,
    DeviceStatusChanged,
)
from station_core.identity.events import Invited

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from station_core.events import Event
    from station_core.identity.model import Invite
    from station_core.values import Value

LATE_AFTER: Final = timedelta(seconds=10)
INVITED: Final = "member.invited"

_INVITES: Final = uuid.UUID("5d1f6a0c-51c2-5a65-8f0e-3f7a6d1b9c42")  # as the next
_STATES: Final = uuid.UUID("0f3a5c0e-6f0b-5e0c-9d54-6c1b1f1f7d57")  # the namespace of their ids


class Rank(IntEnum):
    """How much a letter matters: what ranks lower is dropped first when too much waits, the oldest of it first."""

    TELEMETRY = 0
    ALARM = 1
    DEED = 2
    IDENTITY = 3


_RANKS: Final[Mapping[EventChannel, Rank]] = MappingProxyType(
    {
        EventChannel.STATE: Rank.TELEMETRY,
        EventChannel.STATUS: Rank.TELEMETRY,
        EventChannel.TRANSITION: Rank.TELEMETRY,
        EventChannel.EVENT: Rank.ALARM,
        EventChannel.AUTOMATION: Rank.ALARM,
        EventChannel.COMMAND: Rank.DEED,
        EventChannel.LIFECYCLE: Rank.DEED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notification before it has an id; *params* are in the wire's words. Without a channel it's never filtered."""

    method: str
    params: Mapping[str, Value]
    written_at: datetime
    channel: EventChannel | None = None

    @property
    def rank(self) -> Rank:
        """How much it matters."""
        return Rank.IDENTITY if self.channel is None else _RANKS[self.channel]

    def late(self, now: datetime) -> bool:
        """Whether it has waited over 10 s; by a clock that was set back meanwhile, it has."""
        return abs(now - self.written_at) > LATE_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """
    A letter that waits to go up, and its place in the order of happening.

    *event_id* is the same each time it's sent. A state is named by its *device_id*, and comes after what bears its
    *seq*: what else of the device happened before it.
    """

    seq: int
    event_id: str
    letter: Letter
    device_id: str | None = None

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in the order."""
        return self.seq, self.device_id or ""


FRONT: Final = (-1, "")
"""The place before all others."""


def letter(event: Event) -> Letter | None:
    """What the cloud hears of an event; None for one that isn't its business, and for states: see `state_letter`."""
    params: dict[str, Value]
    if isinstance(event, DeviceStateTransition):
        params = {"capabilityKey": event.capability_key, "oldValue": event.old_value, "newValue": event.new_value}
        return _of(event, EventChannel.TRANSITION, params)
    if isinstance(event, DeviceStatusChanged):
        return _of(event, EventChannel.STATUS, {"status": event.status.value})
    if isinstance(event, DeviceEventReceived):
        return _of(event, EventChannel.EVENT, {"event": event.event, "data": dict(event.data)})
    if isinstance(event, DeviceCommandSent):
        params = {"deviceId": event.device_id, "deviceName": event.device_name, "command": dict(event.command)}
        return _dated(event, EventChannel.COMMAND, params)
    if isinstance(event, DeviceDeleted):
        return deletion(event.device_id, event.device_name, event.timestamp)
    return None


def state_letter(device_id: str, state: Mapping[str, Value], at: datetime) -> Letter:
    """What the cloud hears of a report."""
    return Letter(
        method=METHODS[EventChannel.STATE],
        channel=EventChannel.STATE,
        params={"deviceId": device_id, "state": dict(state), "timestamp": _rfc3339(at)},
        written_at=at,
    )


def deletion(device_id: str, device_name: str, at: datetime) -> Letter:
    """What the cloud hears of a device that the station forgot."""
    return Letter(
        method=METHODS[EventChannel.LIFECYCLE],
        channel=EventChannel.LIFECYCLE,
        params={"deviceId": device_id, "deviceName": device_name},
        written_at=at,
    )


def state_id(device_id: str, state: Mapping[str, Value], at: datetime) -> str:
    """The id of a state's letter: made of it alone, so that it's the same whoever sends it, and when."""
    return str(uuid.uuid5(_STATES, f"{device_id} {at.isoformat()} {dict(state)!r}"))


def invitation(*, email: str, role: str, invited_by: str, at: datetime) -> Letter:
    """Somebody was invited to the household: the cloud sends the mail."""
    return Letter(
        method=INVITED,
        params={"email": email, "role": role, "invitedBy": invited_by, "timestamp": _rfc3339(at)},
        written_at=at,
    )


def invite_letter(invite: Invite) -> Letter:
    """What the cloud hears of somebody who is asked to join."""
    return invitation(email=invite.email, role=invite.role.value, invited_by=invite.invited_by, at=invite.sent_at)


def invite_letter_id(invite: Invite) -> str:
    """Its id: another each time that they are asked, and the same whoever sends it."""
    return str(uuid.uuid5(_INVITES, f"{invite.id} {invite.sent_at.isoformat()}"))


def tells(event: Event) -> EventChannel | None:
    """The channel that tells of the event, states included."""
    return _CHANNELS.get(type(event))


_CHANNELS: Final[Mapping[type[Event], EventChannel]] = MappingProxyType(
    {
        DeviceStateChanged: EventChannel.STATE,
        DeviceStatusChanged: EventChannel.STATUS,
        DeviceEventReceived: EventChannel.EVENT,
        DeviceCommandSent: EventChannel.COMMAND,
        DeviceStateTransition: EventChannel.TRANSITION,
        DeviceDeleted: EventChannel.LIFECYCLE,
    }
)


HEARD: Final[tuple[type[Event], ...]] = (*_CHANNELS, Invited)
"""The events that the cloud may hear of; of an invitation in no channel."""


def _of(
    event: DeviceStateTransition | DeviceStatusChanged | DeviceEventReceived,
    channel: EventChannel,
    more: Mapping[str, Value],
) -> Letter:
    named: dict[str, Value] = {
        "deviceId": event.device_id,
        "deviceName": event.device_name,
        "deviceType": event.device_type,
    }
    return _dated(event, channel, {**named, **more})


def _dated(event: Event, channel: EventChannel, params: Mapping[str, Value]) -> Letter:
    dated = {**params, "timestamp": _rfc3339(event.timestamp)}
    return Letter(method=METHODS[channel], channel=channel, params=dated, written_at=event.timestamp)


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
