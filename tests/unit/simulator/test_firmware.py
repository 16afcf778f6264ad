from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from station_app.simulator.firmware import Firmware, Phase
from station_app.simulator.speech import Connect, Disconnect, FactoryReset, Publish

if TYPE_CHECKING:
    from station_app.simulator.make import Make

from tests.unit.simulator.lives import (
    DISCONNECT,
    LAMP,
    NEWER,
    OK,
    UNKNOWN,
    WEATHER,
    introducing,
    let_live,
    operational,
    said,
)


def test_it_boots_into_a_connection_with_a_last_will() -> None:
    assert Firmware(LAMP).boot(0) == [Connect(Publish("heartbeat", b'{"status":"offline"}', 1))]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (LAMP, {"type": "light", "firmwareVersion": "1.4.0", "chip": "esp32"}),
        (replace(LAMP, chip=None), {"type": "light", "firmwareVersion": "1.4.0"}),
        (
            replace(LAMP, kit_tag="hall", firmware_version="2.0"),
            {"type": "light", "firmwareVersion": "2.0", "chip": "esp32", "kit_tag": "hall"},
        ),
        (NEWER, {"type": "light", "firmwareVersion": "1.4.0", "chip": "esp32", "session": 7, "acks": True}),
    ],
)
def test_its_handshake_says_who_it_is(make: Make, expected: dict[str, Any]) -> None:
    firmware = Firmware(make)
    firmware.boot(0)

    assert said(firmware.connected(0)) == [("handshake", expected)]


def test_newer_firmware_tells_its_session_in_will_and_heartbeat() -> None:
    firmware = Firmware(NEWER)
    (connect,) = firmware.boot(0)
    firmware.connected(0)
    beat = firmware.message("handshake/ack", OK, 0)[0]

    assert isinstance(connect, Connect)
    assert said([connect.will, beat]) == [
        ("heartbeat", {"status": "offline", "session": 7}),
        ("heartbeat", {"status": "online", "session": 7}),
    ]


def test_once_known_it_says_that_it_is_there_and_how_it_is() -> None:
    assert said(introducing().message("handshake/ack", OK, 0)) == [
        ("heartbeat", {"status": "online"}),
        ("state", {"state": {"on": False, "brightness": 100}}),
    ]


def test_unanswered_it_repeats_its_handshake_ever_more_slowly() -> None:
    firmware = introducing()
    times = [at for at, _ in let_live(firmware, until=200)]
    pauses = [after - before for before, after in zip([0.0, *times], times, strict=False)]

    assert firmware.tally.handshakes == 1 + len(times)
    assert all(
        0.8 * wanted <= pause <= 1.2 * wanted for wanted, pause in zip([2, 4, 8, 16, 30, 30], pauses, strict=False)
    )


def test_unconnected_it_tries_ever_more_slowly() -> None:
    firmware, now, pauses = Firmware(LAMP), 0.0, []
    firmware.boot(now)
    for _ in range(8):
        firmware.disconnected(now)
        pauses.append(firmware.wakes_at - now)
        now = firmware.wakes_at
        assert said(firmware.tick(now)) == [("Connect", None)]

    assert all(
        0.8 * wanted <= pause <= 1.2 * wanted
        for wanted, pause in zip([1, 2, 4, 8, 16, 32, 60, 60], pauses, strict=True)
    )


def test_a_broker_that_throws_it_out_before_the_station_has_answered_is_not_pestered() -> None:
    firmware = introducing()
    for _ in range(10):
        firmware.disconnected(0)
        firmware.tick(firmware.wakes_at)
        firmware.connected(0)
    firmware.disconnected(0)

    assert firmware.wakes_at >= 0.8 * 60


def test_five_times_unknown_it_forgets_its_owner() -> None:
    firmware = introducing()
    for _ in range(4):
        assert firmware.message("handshake/ack", UNKNOWN, 0) == []
    outputs = firmware.message("handshake/ack", UNKNOWN, 0)

    assert outputs[1:] == [Disconnect(), FactoryReset("unknown_device")]
    assert said(outputs[:1]) == [("heartbeat", {"status": "offline"})]
    assert (firmware.phase, firmware.wakes_at) == (Phase.UNPROVISIONED, math.inf)


def test_only_answers_in_a_row_make_it_forget() -> None:
    firmware = introducing()
    for answer in [UNKNOWN] * 4 + [OK] + [UNKNOWN] * 4:
        firmware.message("handshake/ack", answer, 0)

    assert firmware.phase is Phase.INTRODUCING
    assert firmware.tally.unknown == 8


def test_unknown_answers_count_over_connections() -> None:
    firmware = introducing()
    for _ in range(5):
        firmware.message("handshake/ack", UNKNOWN, 0)
        firmware.disconnected(0)
        firmware.tick(100)
        firmware.connected(100)

    assert firmware.phase is Phase.UNPROVISIONED


def test_removed_while_at_work_it_introduces_itself_again() -> None:
    firmware = operational()
    firmware.message("handshake/ack", UNKNOWN, 10)

    assert firmware.phase is Phase.INTRODUCING
    assert said(firmware.tick(13))[0][0] == "handshake"


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b'"ok"', b'{"status": 1}', b'{"status": "perhaps"}', b"[" * 9_999]
)
def test_an_answer_that_is_none_changes_nothing(payload: bytes) -> None:
    firmware = introducing()

    assert firmware.message("handshake/ack", payload, 0) == []
    assert firmware.phase is Phase.INTRODUCING


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ({"action": "toggle"}, {"on": True, "brightness": 100}),
        ({"action": "turn_on"}, {"on": True, "brightness": 100}),
        ({"action": "turn_off"}, {"on": False, "brightness": 100}),
        ({"action": "set_brightness", "brightness": 0}, {"on": False, "brightness": 0}),
        ({"action": "set_brightness", "brightness": 75}, {"on": False, "brightness": 75}),
    ],
)
def test_a_light_obeys_and_reports(command: dict[str, Any], state: dict[str, Any]) -> None:
    firmware = operational()

    assert said(firmware.message("command", json.dumps(command).encode(), 0)) == [("state", {"state": state})]
    assert (firmware.tally.obeyed, firmware.tally.rejected) == (1, 0)


@pytest.mark.parametrize(
    ("make", "payload", "error"),
    [
        (LAMP, b'{"action": "fly"', "malformed"),
        (LAMP, b'"toggle"', "malformed"),
        (LAMP, b'{"commandId": "c"}', "malformed"),
        (LAMP, b'{"action": 1, "commandId": "c"}', "malformed"),
        (LAMP, b'{"action": "fly", "commandId": "c"}', "unknown action"),
        (WEATHER, b'{"action": "toggle", "commandId": "c"}', "unknown action"),
        (LAMP, b'{"action": "set_brightness", "commandId": "c"}', "impossible parameters"),
        (LAMP, b'{"action": "set_brightness", "brightness": 101, "commandId": "c"}', "impossible parameters"),
        (LAMP, b'{"action": "set_brightness", "brightness": 7.5, "commandId": "c"}', "impossible parameters"),
        (LAMP, b'{"action": "set_brightness", "brightness": true, "commandId": "c"}', "impossible parameters"),
        (LAMP, b'{"action": "ota_update", "version": "2.0", "commandId": "c"}', "impossible parameters"),
        (LAMP, b'{"action": "ota_update", "url": "http://x", "version": 2, "commandId": "c"}', "impossible parameters"),
    ],
)
@pytest.mark.parametrize("newer", [False, True])
def test_what_it_cannot_do_it_rejects(make: Make, payload: bytes, error: str, *, newer: bool) -> None:
    firmware = operational(replace(make, newer=newer))
    before = dict(firmware.state)
    outputs = firmware.message("command", payload, 0)

    identified = newer and b"commandId" in payload
    assert said(outputs) == (
        [("command/ack", {"commandId": "c", "status": "rejected", "error": error})] if identified else []
    )
    assert (firmware.tally.obeyed, firmware.tally.rejected) == (0, 1)
    assert firmware.state == before


def test_newer_firmware_acknowledges_before_it_reports() -> None:
    firmware = operational(NEWER)

    assert said(firmware.message("command", b'{"action": "turn_on", "commandId": "c"}', 0)) == [
        ("command/ack", {"commandId": "c", "status": "ok"}),
        ("state", {"state": {"on": True, "brightness": 100}}),
    ]


def test_before_the_station_knows_it_it_obeys_nobody() -> None:
    firmware = introducing()

    assert firmware.message("command", b'{"action": "toggle"}', 0) == []
    assert firmware.tally.rejected == 1


def test_a_reboot_leaves_in_order_and_comes_back_as_a_new_session() -> None:
    firmware = operational(NEWER)
    outputs = said(firmware.message("command", b'{"action": "reboot"}', 0))
    again = firmware.tick(firmware.wakes_at)

    assert outputs == [("heartbeat", {"status": "offline", "session": 7}), DISCONNECT]
    assert said(again) == [("Connect", None)]
    assert said(firmware.connected(3))[0][1]["session"] == 8


def test_an_update_is_a_reboot_with_another_version() -> None:
    firmware = operational()
    command = {"action": "ota_update", "url": "http://x/f", "version": "2.0.0", "firmware_id": "f"}
    firmware.message("command", json.dumps(command).encode(), 0)
    firmware.tick(firmware.wakes_at)

    assert said(firmware.connected(3))[0][1]["firmwareVersion"] == "2.0.0"


def test_what_it_was_told_to_forget_it_forgets() -> None:
    outputs = operational().message("command", b'{"action": "factory_reset"}', 0)

    assert outputs[1:] == [Disconnect(), FactoryReset("command")]
