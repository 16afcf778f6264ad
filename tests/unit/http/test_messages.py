from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from station_adapters.http.bodies import decode
from station_adapters.http.messages import (
    PONG,
    Auth,
    Heard,
    Ping,
    ProvisioningStart,
    ProvisioningStop,
    broadcast,
    error,
    is_broadcast,
    snapshot,
)
from station_adapters.shapes.devices import device_out
from station_core.devices.events import (
    DeviceAdded,
    DeviceCommandSent,
    DeviceDeleted,
    DeviceEventReceived,
    DeviceHandshakeReceived,
    DeviceStateChanged,
    DeviceStateTransition,
    DeviceStatusChanged,
    DeviceUpdated,
)
from station_core.devices.model import Device, Status
from station_core.errors import Malformed
from station_core.events import Event, LinkStatusChanged

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMP = {"timestamp": "2026-03-01T12:00:00Z"}
LAMP = Device(id="d-1", external_id="lamp", name="Lamp", type="light", created_at=AT, updated_at=AT)
NAMED: Any = {"device_id": "d-1", "device_name": "Lamp", "device_type": "light", "timestamp": AT}
WHOSE = {"deviceId": "d-1", "deviceName": "Lamp"}
WHAT = {**WHOSE, "deviceType": "light"}
WIRE_LAMP = msgspec.json.decode(msgspec.json.encode(device_out(LAMP)))


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            DeviceStateChanged(device_id="d-1", state={"on": True}, timestamp=AT),
            {"type": "device_state_changed", "deviceId": "d-1", "state": {"on": True}, **STAMP},
        ),
        (
            DeviceStateTransition(capability_key="on", old_value=False, new_value=True, **NAMED),
            {
                "type": "device_state_transition",
                **WHAT,
                "capabilityKey": "on",
                "oldValue": False,
                "newValue": True,
                **STAMP,
            },
        ),
        (
            DeviceStatusChanged(status=Status.ONLINE, **NAMED),
            {"type": "device_status_changed", **WHAT, "status": "online", **STAMP},
        ),
        (
            DeviceEventReceived(event="user_event", data=MappingProxyType({"action": "press"}), **NAMED),
            {"type": "device_event_received", **WHAT, "event": "user_event", "data": {"action": "press"}, **STAMP},
        ),
        (
            DeviceCommandSent(
                command=MappingProxyType({"action": "toggle"}), command_id="c-1", actor="user:u-1", **NAMED
            ),
            {"type": "device_command_sent", **WHOSE, "command": {"action": "toggle"}, **STAMP},
        ),
        (
            DeviceDeleted(device_id="d-1", device_name="Lamp", timestamp=AT),
            {"type": "device_deleted", **WHOSE},
        ),
        (DeviceAdded(device=LAMP, timestamp=AT), {"type": "device_added", "device": WIRE_LAMP}),
        (DeviceUpdated(device=LAMP, timestamp=AT), {"type": "device_updated", "device": WIRE_LAMP}),
        (
            LinkStatusChanged(link="mqtt", up=False, timestamp=AT),
            {"type": "link_status", "link": "mqtt", "status": "down"},
        ),
        (
            LinkStatusChanged(link="cloud", up=True, timestamp=AT),
            {"type": "link_status", "link": "cloud", "status": "up"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_is_told_with_its_fields_flat_beside_type_and_number(event: Event, message: dict[str, Any]) -> None:
    told = msgspec.json.decode(broadcast(event, 7))

    assert told == {**message, "seq": 7}
    assert is_broadcast(event)


@pytest.mark.parametrize(
    "event",
    [
        DeviceHandshakeReceived(device_id="d-1", kit_tag=None, timestamp=AT),
        LinkStatusChanged(link="live", up=False, timestamp=AT),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_is_nothing_to_the_spa_is_not_told(event: Event) -> None:
    assert not is_broadcast(event)


def test_a_snapshot_bears_the_number_of_the_last_message_in_it() -> None:
    assert msgspec.json.decode(snapshot([device_out(LAMP)], [], 7)) == {
        "type": "snapshot",
        "devices": [WIRE_LAMP],
        "candidates": [],
        "seq": 7,
    }


def test_what_only_one_socket_gets_bears_no_number() -> None:
    assert msgspec.json.decode(PONG) == {"type": "pong"}
    assert msgspec.json.decode(error("malformed")) == {"type": "error", "code": "malformed"}


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ('{"type":"auth","token":"t"}', Auth(token="t")),
        ('{"token":"t","batch":true,"client":"spa","type":"auth"}', Auth(token="t", batch=True)),
        ('{"type":"ping"}', Ping()),
        ('{"type":"provisioning_start"}', ProvisioningStart()),
        ('{"type":"provisioning_stop"}', ProvisioningStop()),
    ],
)
def test_what_a_client_says_is_understood(text: str, heard: Heard) -> None:
    assert decode(text, Heard) == heard


@pytest.mark.parametrize(
    "text",
    ["", "ping", "[]", "{}", '{"type":"shout"}', '{"type":"auth","token":5}', '{"type":null}'],
)
def test_what_a_client_must_not_say_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        decode(text, Heard)
