from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.mqtt.payloads import (
    read_event,
    read_handshake,
    read_heartbeat,
    read_state,
    write_command,
)
from station_core.devices.model import Introduction
from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

READERS = {"state": read_state, "event": read_event, "heartbeat": read_heartbeat, "handshake": read_handshake}

WRONG_EVERYWHERE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"17",
    b'"state"',
    b"{",
    b"\xff\xfe",
    b'{"state": {"a": NaN}}',
    b'{"state": {"a": Infinity}}',
    b"[" * 100_000,
    b'{"state":' * 50_000,
    b'{"state": {"a": "' + b"x" * 65_536 + b'"}}',
    b'{"state": {}} {}',
]


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("payload", WRONG_EVERYWHERE, ids=range(len(WRONG_EVERYWHERE)))
def test_rubbish_is_malformed_on_every_topic(read: Callable[[bytes], object], payload: bytes) -> None:
    with pytest.raises(Malformed):
        read(payload)


@pytest.mark.parametrize(
    ("read", "payload"),
    [
        (read_state, b'{"state": []}'),
        (read_state, b'{"state": null}'),
        (read_state, b'{"State": {}}'),
        (read_event, b'{"event": "device_event"}'),
        (read_event, b'{"event": 1, "data": {}}'),
        (read_event, b'{"event": "device_event", "data": "x"}'),
        (read_heartbeat, b'{"status": "sleeping"}'),
        (read_heartbeat, b'{"status": null}'),
        (read_heartbeat, b'{"status": "online", "session": "1"}'),
        (read_heartbeat, b'{"status": "online", "session": -1}'),
        (read_heartbeat, b'{"status": "online", "session": 9223372036854775808}'),
        (read_handshake, b'{"type": "light"}'),
        (read_handshake, b'{"firmwareVersion": "1"}'),
        (read_handshake, b'{"type": 1, "firmwareVersion": "1"}'),
        (read_handshake, b'{"type": "light", "firmwareVersion": 1}'),
        (read_handshake, b'{"type": "light", "firmwareVersion": "1", "chip": 5}'),
        (read_handshake, b'{"type": "light", "firmwareVersion": "1", "acks": "yes"}'),
    ],
)
def test_a_wrong_type_or_a_missing_key_is_malformed(read: Callable[[bytes], object], payload: bytes) -> None:
    with pytest.raises(Malformed):
        read(payload)


def test_a_handshake_reads_in_the_core_s_words() -> None:
    full = read_handshake(
        b'{"type":"pir","firmwareVersion":"2.1","chip":"esp32c3","kit_tag":"k","session":4,"acks":true,"more":1}'
    )
    bare = read_handshake(b'{"type":"pir","firmwareVersion":"2.1","chip":null}')

    assert full.introduction() == Introduction(
        type="pir", firmware_version="2.1", chip="esp32c3", kit_tag="k", session=4, acks=True
    )
    assert bare.introduction() == Introduction(type="pir", firmware_version="2.1")


def test_a_report_keeps_every_json_value() -> None:
    report = read_state('{"state":{"a":null,"b":true,"c":-0.5,"d":"é","e":[1,{"f":[]}]}}'.encode())

    assert report.state == {"a": None, "b": True, "c": -0.5, "d": "é", "e": [1, {"f": []}]}


def test_a_command_is_written_flat() -> None:
    assert (
        write_command({"action": "set_brightness", "brightness": 75}) == b'{"action":"set_brightness","brightness":75}'
    )
