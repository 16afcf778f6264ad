from __future__ import annotations

from typing import TYPE_CHECKING

from station_adapters.memory.clock import NEW_YEAR
from station_core.devices.activity import line
from station_core.devices.events import (
    DeviceCommandSent,
    DeviceEventReceived,
    DeviceHandshakeReceived,
    DeviceStateChanged,
    DeviceStateTransition,
    DeviceStatusChanged,
    NamedDeviceEvent,
)
from station_core.devices.model import Status

if TYPE_CHECKING:
    from station_core.events import Event

NAMED = {"device_id": "1", "device_name": "Lamp", "device_type": "light"}
LINES: list[tuple[NamedDeviceEvent, str, object]] = [
    (
        DeviceStatusChanged(**NAMED, status=Status.OFFLINE, timestamp=NEW_YEAR),
        "status_changed",
        {"status": "offline"},
    ),
    (
        DeviceStateTransition(**NAMED, capability_key="on", old_value=False, new_value=True, timestamp=NEW_YEAR),
        "state_transition",
        {"capabilityKey": "on", "oldValue": False, "newValue": True},
    ),
    (
        DeviceEventReceived(**NAMED, event="user_event", data={"action": "press"}, timestamp=NEW_YEAR),
        "event_received",
        {"event": "user_event", "data": {"action": "press"}},
    ),
    (
        DeviceCommandSent(**NAMED, command={"action": "toggle"}, command_id="7", actor="cloud", timestamp=NEW_YEAR),
        "command_sent",
        {"command": {"action": "toggle"}, "commandId": "7", "actor": "cloud"},
    ),
]
SILENT: list[Event] = [
    DeviceStateChanged(device_id="1", state={}, timestamp=NEW_YEAR),
    DeviceHandshakeReceived(device_id="1", kit_tag=None, timestamp=NEW_YEAR),
]


def test_four_kinds_of_event_leave_a_line() -> None:
    for event, event_type, payload in LINES:
        told = line(event)

        assert told is not None
        assert (told.event_type, told.payload, told.created_at) == (event_type, payload, NEW_YEAR)
        assert (told.device_id, told.device_name, told.device_type) == ("1", "Lamp", "light")


def test_all_others_leave_none() -> None:
    assert [line(event) for event in SILENT] == [None, None]
