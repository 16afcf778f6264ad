from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.memory.clock import NEW_YEAR
from station_core.devices.events import (
    DeviceEventReceived,
    DeviceHandshakeReceived,
    DeviceStateChanged,
    DeviceStateTransition,
    DeviceStatusChanged,
    DeviceUpdated,
)
from station_core.devices.model import Device, Introduction, Status
from station_core.devices.types import TYPES, unknown_type

if TYPE_CHECKING:
    from station_core.values import Value

LIGHT = next(t for t in TYPES if t.id == "light")
LATER = NEW_YEAR + timedelta(minutes=1)
LAMP = Device(id="1", external_id="lamp", name="Lamp", type="light", created_at=NEW_YEAR, updated_at=NEW_YEAR)

SCALARS: st.SearchStrategy[Value] = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a"])
REPORTS = st.dictionaries(st.sampled_from(["on", "brightness", "motion", "foreign"]), SCALARS, max_size=4)


@given(st.lists(REPORTS, max_size=12))
def test_a_report_is_merged_key_by_key_and_every_boolean_flip_is_a_transition(reports: list[dict[str, Value]]) -> None:
    device, model = LAMP, dict[str, "Value"]()
    for report in reports:
        flips = {
            key: new
            for key, new in report.items()
            if key != "brightness" and isinstance(new, bool) and isinstance(model.get(key), bool) and model[key] != new
        }
        model |= report
        device, events = device.reported(report, LIGHT, at=LATER)

        changes = [e for e in events if isinstance(e, DeviceStateChanged)]
        transitions = [e for e in events if isinstance(e, DeviceStateTransition)]
        derived = [e.data for e in events if isinstance(e, DeviceEventReceived)]
        assert device.state == model
        assert [e.state for e in changes] == [model]
        assert {e.capability_key: e.new_value for e in transitions} == flips
        assert all(e.old_value is not e.new_value for e in transitions)
        assert len(transitions) == len(flips)
        expected = {True: ["turned_on"], False: ["turned_off"], None: []}[flips.get("on")]
        assert [data["action"] for data in derived] == expected


def test_what_a_report_makes_is_no_other_than_what_the_constructors_make() -> None:
    here = replace(LAMP, zone_id="z", firmware_version="1", chip="c", kit_tag="k", station_id="s", session=3, acks=True)

    device, [told] = here.reported({"on": True}, LIGHT, at=LATER)

    assert device == replace(here, state={"on": True}, updated_at=LATER)
    assert told == DeviceStateChanged(device_id="1", state={"on": True}, timestamp=LATER)
    for value, name in ((device, "name"), (told, "state")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, "other")


def test_a_report_leaves_the_device_as_it_was_before() -> None:
    device, _ = LAMP.reported({"on": True, "colours": ["red"]}, LIGHT, at=LATER)

    after, _ = device.reported({"on": None}, LIGHT, at=LATER)

    assert device.state == {"on": True, "colours": ["red"]}
    assert after.state == {"on": None, "colours": ["red"]}


def test_a_report_touches_nothing_but_state_and_time() -> None:
    spoken = Device(
        id="1",
        external_id="lamp",
        name="Lamp",
        type="light",
        created_at=NEW_YEAR,
        updated_at=NEW_YEAR,
        status=Status.ONLINE,
        state={"on": False},
        zone_id="hall",
        firmware_version="1",
        chip="esp32",
        kit_tag="kit",
        last_heartbeat_at=NEW_YEAR,
        station_id="station",
        session=7,
        acks=True,
    )

    after, _ = spoken.reported({"on": True}, LIGHT, at=LATER)

    fields = set(Device.__dataclass_fields__) - {"state", "updated_at"}
    assert all(getattr(after, field) == getattr(spoken, field) for field in fields)
    assert after.updated_at == LATER


def test_the_type_table_never_filters() -> None:
    before, _ = LAMP.reported({"foreign": False, "brightness": True}, LIGHT, at=NEW_YEAR)

    after, events = before.reported({"foreign": True, "brightness": False}, LIGHT, at=LATER)

    assert after.state == {"foreign": True, "brightness": False}
    assert [e.capability_key for e in events if isinstance(e, DeviceStateTransition)] == ["foreign"]


def test_a_transition_of_an_unknown_type_stands_for_no_event() -> None:
    before, _ = LAMP.reported({"on": False}, unknown_type("odd"), at=NEW_YEAR)

    _, events = before.reported({"on": True}, unknown_type("odd"), at=LATER)

    assert [type(e) for e in events] == [DeviceStateChanged, DeviceStateTransition]


def test_coming_and_going_is_told_once() -> None:
    online, came = LAMP.turned(Status.ONLINE, at=LATER)
    still, nothing = online.turned(Status.ONLINE, at=LATER)
    _, went = still.turned(Status.OFFLINE, at=LATER)

    assert still is online
    assert nothing == []
    assert [e.status for e in came + went if isinstance(e, DeviceStatusChanged)] == [Status.ONLINE, Status.OFFLINE]


def test_a_handshake_that_says_nothing_new_is_no_update() -> None:
    portrait = Introduction(type="light", firmware_version="2", chip="esp32", kit_tag="kit", session=3, acks=True)
    first, told = LAMP.introduced(portrait, at=NEW_YEAR)

    again, told_again = first.introduced(portrait, at=LATER)

    assert [type(e) for e in told] == [DeviceHandshakeReceived, DeviceUpdated]
    assert [type(e) for e in told_again] == [DeviceHandshakeReceived]
    assert again.last_heartbeat_at == LATER


def test_what_a_handshake_leaves_out_stays_but_session_and_acks_are_of_this_boot() -> None:
    newer = Introduction(type="light", firmware_version="2", chip="esp32", kit_tag="kit", session=3, acks=True)
    first, _ = LAMP.introduced(newer, at=NEW_YEAR)

    older, _ = first.introduced(Introduction(type="light", firmware_version="1"), at=LATER)

    assert (older.chip, older.kit_tag) == ("esp32", "kit")
    assert (older.session, older.acks) == (None, False)
    assert older.firmware_version == "1"


def test_a_heartbeat_without_a_session_keeps_the_one_known() -> None:
    beating = LAMP.beat(at=NEW_YEAR, session=3).beat(at=LATER)

    assert (beating.session, beating.last_heartbeat_at) == (3, LATER)
