from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from station_app.simulator.firmware import Phase
from station_app.simulator.models import MODELS
from station_app.simulator.speech import Publish
from tests.unit.simulator.lives import (
    DISCONNECT,
    OK,
    WEATHER,
    in_phase,
    introducing,
    let_live,
    operational,
    said,
)


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
