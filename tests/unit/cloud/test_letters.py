"""Which event goes up as which notification."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from station_core.cloud.channels import EventChannel
from station_core.cloud.letters import (
    Letter,
    Rank,
    Waiting,
    deletion,
    invitation,
    invite_letter,
    invite_letter_id,
    letter,
    state_id,
    state_letter,
    tells,
)
from station_core.devices.events import (
    DeviceCommandSent,
    DeviceDeleted,
    DeviceEventReceived,
    DeviceHandshakeReceived,
    DeviceStateChanged,
    DeviceStateTransition,
    DeviceStatusChanged,
)
from station_core.devices.model import Status
from station_core.identity.model import Invite, Role

if TYPE_CHECKING:
    from station_core.events import Event
    from station_core.values import Value

AT = datetime(2026, 3, 1, 12, 0, 5, 250_000, tzinfo=UTC)
NAMED = {"deviceId": "d", "deviceName": "Lamp", "deviceType": "light"}
STAMP = "2026-03-01T12:00:05.250000Z"


def named(kind: type[Event], **more: object) -> Event:
    fields = {"device_id": "d", "device_name": "Lamp", "device_type": "light", "timestamp": AT, **more}
    return kind(**fields)  # type: ignore[arg-type]  # as the kinds have them


HEARD: list[tuple[Event, str, EventChannel, Rank, dict[str, Value]]] = [
    (
        named(DeviceStatusChanged, status=Status.OFFLINE),
        "device.statusChanged",
        EventChannel.STATUS,
        Rank.TELEMETRY,
        {**NAMED, "status": "offline", "timestamp": STAMP},
    ),
    (
        named(DeviceStateTransition, capability_key="on", old_value=False, new_value=True),
        "device.stateTransition",
        EventChannel.TRANSITION,
        Rank.TELEMETRY,
        {**NAMED, "capabilityKey": "on", "oldValue": False, "newValue": True, "timestamp": STAMP},
    ),
    (
        named(DeviceEventReceived, event="user_event", data={"action": "press"}),
        "device.eventReceived",
        EventChannel.EVENT,
        Rank.ALARM,
        {**NAMED, "event": "user_event", "data": {"action": "press"}, "timestamp": STAMP},
    ),
    (
        named(DeviceCommandSent, command={"action": "toggle"}, command_id="c", actor="user:1"),
        "device.commandSent",
        EventChannel.COMMAND,
        Rank.DEED,
        {"deviceId": "d", "deviceName": "Lamp", "command": {"action": "toggle"}, "timestamp": STAMP},
    ),
    (
        DeviceDeleted(device_id="d", device_name="Lamp", timestamp=AT),
        "device.deleted",
        EventChannel.LIFECYCLE,
        Rank.DEED,
        {"deviceId": "d", "deviceName": "Lamp"},
    ),
]


@pytest.mark.parametrize(("event", "method", "channel", "rank", "params"), HEARD, ids=[h[1] for h in HEARD])
def test_an_event_goes_up_with_the_fields_of_the_wires(
    event: Event, method: str, channel: EventChannel, rank: Rank, params: dict[str, Value]
) -> None:
    told = letter(event)

    assert told == Letter(method=method, channel=channel, params=params, written_at=AT)
    assert told.rank is rank
    assert tells(event) is channel


def test_a_report_goes_up_as_the_merged_state() -> None:
    told = state_letter("d", {"on": True}, AT)
    changed = DeviceStateChanged(device_id="d", state={"on": True}, timestamp=AT)

    assert (told.method, told.channel, told.rank) == ("device.stateChanged", EventChannel.STATE, Rank.TELEMETRY)
    assert told.params == {"deviceId": "d", "state": {"on": True}, "timestamp": STAMP}
    assert letter(changed) is None
    assert tells(changed) is EventChannel.STATE


def test_what_is_none_of_its_business_stays_here() -> None:
    handshake = DeviceHandshakeReceived(device_id="d", kit_tag=None, timestamp=AT)

    assert letter(handshake) is None
    assert tells(handshake) is None


def test_an_invitation_is_in_no_channel_and_outranks_all() -> None:
    told = invitation(email="a@b.c", role="member", invited_by="Ada", at=AT)

    assert (told.method, told.channel, told.rank) == ("member.invited", None, max(Rank))
    assert told.params == {"email": "a@b.c", "role": "member", "invitedBy": "Ada", "timestamp": STAMP}


def test_an_invitation_has_another_id_each_time_that_somebody_is_asked() -> None:
    asked = Invite(id="i", email="a@b.c", role=Role.ADMIN, invited_by="Ada", created_at=AT, sent_at=AT, expires_at=AT)
    again = replace(asked, sent_at=AT + timedelta(minutes=1))

    assert invite_letter(asked) == invitation(email="a@b.c", role="admin", invited_by="Ada", at=AT)
    assert invite_letter_id(asked) == invite_letter_id(replace(asked, role=Role.MEMBER))
    assert len({str(UUID(invite_letter_id(one))) for one in (asked, again, replace(asked, id="j"))}) == 3


def test_a_state_has_the_same_id_whenever_it_is_sent_and_no_other_has_it() -> None:
    one = state_id("d", {"on": True, "n": 1.0}, AT)
    others = {
        state_id("e", {"on": True, "n": 1.0}, AT),
        state_id("d", {"on": True, "n": 1}, AT),
        state_id("d", {"on": 1, "n": 1.0}, AT),
        state_id("d", {"on": True, "n": 1.0}, AT + timedelta(microseconds=1)),
    }

    assert state_id("d", {"on": True, "n": 1.0}, AT) == one == str(UUID(one))
    assert len(others | {one}) == 5


@pytest.mark.parametrize(("waited", "late"), [(0, False), (10, False), (10.001, True), (-9, False), (-11, True)])
def test_it_is_late_after_ten_seconds_whatever_became_of_the_clock(waited: float, *, late: bool) -> None:
    told = deletion("d", "Lamp", AT)

    assert told.late(AT + timedelta(seconds=waited)) is late


def test_a_state_comes_after_what_bears_its_number() -> None:
    told = deletion("d", "Lamp", AT)
    state = Waiting(seq=7, event_id="s", letter=told, device_id="d")
    others = [Waiting(seq=seq, event_id="e", letter=told) for seq in (7, 8)]

    assert others[0].place < state.place < others[1].place
