"""The activity feed: what the household can read afterwards (docs/protocols.md §4, "Activity item")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.devices.events import (
    DeviceCommandSent,
    DeviceEventReceived,
    DeviceStateChanged,
    DeviceStateTransition,
    DeviceStatusChanged,
    NamedDeviceEvent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from station_core.events import Event
    from station_core.values import Value

KEPT_FOR: Final = timedelta(days=30)  # docs/protocols.md §5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the feed keeps of an event, before the store gives it an id."""

    device_id: str
    device_name: str
    device_type: str
    event_type: str
    payload: Mapping[str, Value]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A line of the feed; *event_type* is status_changed, command_sent, event_received or state_transition."""

    id: str
    device_id: str
    device_name: str
    device_type: str
    event_type: str
    payload: Mapping[str, Value]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFilter:
    """
    Which activities are wanted: all that satisfy every field.

    *zone_id* is where the device is now, *event_types* means any of them and none means all, the times are labels from
    *since* on and before *until*.
    """

    device_id: str | None = None
    zone_id: str | None = None
    event_types: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING: Final = ActivityFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPage:
    """Some activities, newest first; `next_cursor` asks for those before them, None at the end."""

    items: Sequence[Activity]
    next_cursor: str | None


def line(event: Event) -> Line | None:
    """The event's line in the feed, None for one that leaves no line."""
    payload: dict[str, Value]
    match event:
        case DeviceStateChanged():  # by far the commonest
            return None
        case DeviceStatusChanged():
            event_type, payload = "status_changed", {"status": event.status.value}
        case DeviceStateTransition():
            event_type = "state_transition"
            payload = {
                "capabilityKey": event.capability_key,
                "oldValue": event.old_value,
                "newValue": event.new_value,
            }
        case DeviceEventReceived():
            event_type, payload = "event_received", {"event": event.event, "data": dict(event.data)}
        case DeviceCommandSent():
            event_type = "command_sent"
            payload = {"command": dict(event.command), "commandId": event.command_id, "actor": event.actor}
        case _:
            return None
    return _of(event, event_type, payload)


def _of(event: NamedDeviceEvent, event_type: str, payload: Mapping[str, Value]) -> Line:
    return Line(
        device_id=event.device_id,
        device_name=event.device_name,
        device_type=event.device_type,
        event_type=event_type,
        payload=payload,
        created_at=event.timestamp,
    )
