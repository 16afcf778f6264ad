from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec

from station_adapters.http.schemas import activity_page, device_with_token, user_out
from station_adapters.shapes.devices import device_out, device_type_out
from station_core.devices.activity import Activity, ActivityPage
from station_core.devices.model import Device, Status
from station_core.devices.types import TYPES
from station_core.identity.model import Role, User

AT = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
LAMP = Device(
    id="d-1",
    external_id="lamp",
    name="Lamp",
    type="light",
    created_at=AT,
    updated_at=AT,
    status=Status.ONLINE,
    state=MappingProxyType({"on": True, "brightness": None}),
    zone_id="z-1",
    firmware_version="1.4.0",
    chip="esp32",
    kit_tag="kit",
    last_heartbeat_at=AT,
    session=7,
)


def wire(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def test_a_device_has_the_wire_s_keys_in_camel_case_and_nothing_else() -> None:
    assert wire(device_out(LAMP)) == {
        "id": "d-1",
        "externalId": "lamp",
        "name": "Lamp",
        "type": "light",
        "status": "online",
        "lastKnownState": {"on": True, "brightness": None},
        "zoneId": "z-1",
        "firmwareVersion": "1.4.0",
        "chip": "esp32",
        "lastHeartbeatAt": "2026-03-01T12:00:00.123000Z",
        "createdAt": "2026-03-01T12:00:00.123000Z",
        "updatedAt": "2026-03-01T12:00:00.123000Z",
    }


def test_a_new_device_bears_its_token_beside() -> None:
    assert wire(device_with_token(LAMP, "secret")) == {**wire(device_out(LAMP)), "deviceToken": "secret"}


def test_a_type_tells_of_its_capabilities_commands_and_events() -> None:
    [light] = [device_type_out(kind) for kind in TYPES if kind.id == "light"]

    assert wire(light) == {
        "id": "light",
        "category": "actuator",
        "periodic": False,
        "capabilities": [
            {"key": "on", "type": "boolean"},
            {"key": "brightness", "type": "number", "unit": "%", "min": 0, "max": 100},
        ],
        "commands": [
            {"action": "toggle", "parameters": []},
            {"action": "turn_on", "parameters": []},
            {"action": "turn_off", "parameters": []},
            {
                "action": "set_brightness",
                "parameters": [{"name": "brightness", "type": "number", "required": True, "min": 0, "max": 100}],
            },
        ],
        "events": ["turned_on", "turned_off"],
    }


def test_a_page_of_the_feed_says_where_the_next_begins() -> None:
    item = Activity(
        id="a-1",
        device_id="d-1",
        device_name="Lamp",
        device_type="light",
        event_type="status_changed",
        payload=MappingProxyType({"status": "online"}),
        created_at=AT,
    )

    assert wire(activity_page(ActivityPage(items=[item], next_cursor="17"))) == {
        "items": [
            {
                "id": "a-1",
                "deviceId": "d-1",
                "deviceName": "Lamp",
                "deviceType": "light",
                "eventType": "status_changed",
                "payload": {"status": "online"},
                "createdAt": "2026-03-01T12:00:00.123000Z",
            }
        ],
        "nextCursor": "17",
    }


def test_a_person_s_password_goes_nowhere() -> None:
    owner = User(id="u-1", email="a@b.c", name="Anna", role=Role.OWNER, created_at=AT, password_hash="$argon2id$…")

    assert wire(user_out(owner)) == {
        "id": "u-1",
        "email": "a@b.c",
        "name": "Anna",
        "role": "owner",
        "createdAt": "2026-03-01T12:00:00.123000Z",
    }
