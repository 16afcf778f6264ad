from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from station_app.simulator.firmware import Firmware, Phase
from station_app.simulator.make import Make
from station_app.simulator.models import MODELS
from station_app.simulator.speech import Connect, Disconnect, FactoryReset, Publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_app.simulator.speech import Output

OK, UNKNOWN = b'{"status": "ok"}', b'{"status": "unknown_device"}'
DISCONNECT = ("Disconnect", None)
LAMP = Make(external_id="lamp-1", type="light")
NEWER = replace(LAMP, newer=True, boots=6)
WEATHER = Make(external_id="c-1", type="climate", qos=0)


def said(outputs: Sequence[Output]) -> list[tuple[str, Any]]:
    """Outputs in short: (suffix, payload) of what is published, (name, None) of the rest."""
    return [
        (output.suffix, json.loads(output.payload)) if isinstance(output, Publish) else (type(output).__name__, None)
        for output in outputs
    ]


def introducing(make: Make = LAMP) -> Firmware:
    firmware = Firmware(make)
    firmware.boot(0)
    firmware.connected(0)
    return firmware


def operational(make: Make = LAMP) -> Firmware:
    firmware = introducing(make)
    firmware.message("handshake/ack", OK, 0)
    return firmware


def in_phase(phase: Phase) -> Firmware:
    firmware = Firmware(LAMP)
    if phase is not Phase.OFF:
        firmware.boot(0)
    if phase in {Phase.INTRODUCING, Phase.OPERATIONAL, Phase.UNPROVISIONED}:
        firmware.connected(0)
    if phase in {Phase.OPERATIONAL, Phase.UNPROVISIONED}:
        firmware.message("handshake/ack", OK, 0)
    if phase is Phase.UNPROVISIONED:
        firmware.message("command", b'{"action": "factory_reset"}', 0)
    assert firmware.phase is phase
    return firmware


def let_live(firmware: Firmware, *, until: float) -> list[tuple[float, Output]]:
    """All that it does of itself, and when."""
    life: list[tuple[float, Output]] = []
    while (now := firmware.wakes_at) <= until:
        life += [(now, output) for output in firmware.tick(now)]
    return life


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


def test_a_light_beats_each_minute_and_else_keeps_still() -> None:
    life = let_live(operational(), until=185)

    assert [at for at, _ in life] == [60, 120, 180]
    assert said([output for _, output in life]) == [("heartbeat", {"status": "online"})] * 3


def test_the_weather_is_told_each_half_minute_and_drifts() -> None:
    life = let_live(operational(WEATHER), until=3_600)
    told = [(at, content["state"]) for at, output in life for _, content in said([output]) if "state" in content]
    times, states = [at for at, _ in told], [state for _, state in told]

    assert len(told) == 120
    assert [round(after - before) for before, after in pairwise(times)] == [30] * 119
    assert all(set(state) == {"temperature", "humidity", "pressure"} for state in states)
    assert len({state["temperature"] for state in states}) > 20
    assert all(15 < state["temperature"] < 28 and 30 < state["humidity"] < 60 for state in states)


def test_motion_comes_in_bursts() -> None:
    life = let_live(operational(replace(WEATHER, type="pir")), until=3_600)
    seen = [
        (at, content["state"]["motion"]) for at, output in life for _, content in said([output]) if "state" in content
    ]
    lengths = [(motion, after - at) for (at, motion), (after, _) in pairwise(seen)]

    assert [motion for _, motion in seen] == [n % 2 == 0 for n in range(len(seen))]
    assert all(3 <= seconds <= 10 if motion else 15 <= seconds <= 90 for motion, seconds in lengths)


def test_a_button_is_told_as_an_event() -> None:
    life = let_live(operational(replace(WEATHER, type="switch-pir")), until=600)
    events = [output for _, output in life if isinstance(output, Publish) and output.suffix == "event"]

    assert said(events[:1]) == [("event", {"event": "device_event", "data": {"action": "button_press"}})]


def test_tempo_quickens_its_life_but_not_its_heart() -> None:
    life = said([output for _, output in let_live(operational(replace(WEATHER, tempo=30)), until=120)])

    assert 119 <= sum(suffix == "state" for suffix, _ in life) <= 121
    assert sum(suffix == "heartbeat" for suffix, _ in life) == 2


def test_at_tempo_zero_nothing_happens_of_itself() -> None:
    assert len(let_live(operational(replace(WEATHER, type="switch-pir", tempo=0)), until=600)) == 10


def test_what_it_slept_through_it_does_not_make_up_for() -> None:
    firmware = operational(WEATHER)
    late = firmware.tick(10_000)

    assert [suffix for suffix, _ in said(late)] == ["heartbeat", "state"]
    assert firmware.tick(10_001) == []


def test_the_same_seed_is_the_same_life_and_another_is_another() -> None:
    pir = replace(WEATHER, type="switch-pir")
    lives = [let_live(operational(make), until=600) for make in (pir, pir, replace(pir, seed=1))]

    assert lives[0] == lives[1] != lives[2]


@pytest.mark.parametrize("qos", [0, 1])
def test_all_that_it_says_has_its_quality_of_service(qos: int) -> None:
    firmware = operational(replace(WEATHER, qos=qos))
    life = let_live(firmware, until=100)

    assert {output.qos for _, output in life if isinstance(output, Publish)} == {qos}


def test_a_touch_is_reported_at_once_or_with_the_first_report() -> None:
    at_work, waiting = operational(), introducing()

    assert said(at_work.touch({"on": True})) == [("state", {"state": {"on": True}})]
    assert waiting.touch({"on": True}) == []
    assert said(waiting.message("handshake/ack", OK, 0))[1] == ("state", {"state": {"on": True, "brightness": 100}})


@pytest.mark.parametrize(
    ("phase", "last_words", "after"),
    [
        (Phase.OFF, [], Phase.OFF),
        (Phase.CONNECTING, [], Phase.OFF),
        (Phase.INTRODUCING, [("heartbeat", {"status": "offline"}), DISCONNECT], Phase.OFF),
        (Phase.OPERATIONAL, [("heartbeat", {"status": "offline"}), DISCONNECT], Phase.OFF),
        (Phase.UNPROVISIONED, [], Phase.UNPROVISIONED),
    ],
)
def test_switched_off_it_leaves_in_order(phase: Phase, last_words: list[Any], after: Phase) -> None:
    firmware = in_phase(phase)

    assert said(firmware.shut_down()) == last_words
    assert (firmware.phase, firmware.wakes_at) == (after, math.inf)


@pytest.mark.parametrize(
    ("happens", "deaf"),
    [
        (lambda f: f.boot(1), [Phase.CONNECTING, Phase.INTRODUCING, Phase.OPERATIONAL, Phase.UNPROVISIONED]),
        (lambda f: f.connected(1), [Phase.OFF, Phase.INTRODUCING, Phase.OPERATIONAL, Phase.UNPROVISIONED]),
        (lambda f: f.disconnected(1), [Phase.OFF, Phase.UNPROVISIONED]),
        (
            lambda f: f.message("handshake/ack", OK, 1),
            [Phase.OFF, Phase.CONNECTING, Phase.OPERATIONAL, Phase.UNPROVISIONED],
        ),
        (
            lambda f: f.message("command", b'{"action": "reboot"}', 1),
            [Phase.OFF, Phase.CONNECTING, Phase.UNPROVISIONED],
        ),
        (lambda f: f.tick(1), list(Phase)),
        (lambda f: f.touch({"on": True}), [Phase.OFF, Phase.CONNECTING, Phase.INTRODUCING, Phase.UNPROVISIONED]),
    ],
    ids=["boot", "connected", "disconnected", "answer", "command", "tick", "touch"],
)
def test_what_cannot_be_meant_for_a_phase_is_passed_over(happens: Any, deaf: list[Phase]) -> None:
    for phase in deaf:
        firmware = in_phase(phase)

        assert happens(firmware) == []
        assert firmware.phase is phase


def test_every_model_lives_an_hour() -> None:
    for kind in MODELS:
        life = let_live(operational(replace(WEATHER, type=kind)), until=3_600)

        assert sum(output.suffix == "heartbeat" for _, output in life if isinstance(output, Publish)) == 60
