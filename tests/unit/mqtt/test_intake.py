from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from station_adapters.mqtt import intake as module
from station_adapters.mqtt.packets import DUP
from station_adapters.mqtt.topics import Suffix

if TYPE_CHECKING:
    from tests.unit.mqtt.intake_bench import Bench


def test_below_the_bound_every_message_is_handled_in_its_order(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n})
    bench.run()

    assert bench.reports() == [{"t": n} for n in range(4)]
    assert bench.counts == {}


def test_what_waits_is_nothing_that_the_collector_looks_at(bench: Bench) -> None:
    bench.offer({"on": True})
    bench.run()

    assert not gc.is_tracked(bench.handled[0])


def test_a_turn_of_the_loop_handles_a_bounded_number(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n})
    bench.turns.pop(0)()

    assert len(bench.handled) == 3
    assert len(bench.turns) == 1


def test_a_turn_of_the_loop_handles_few_messages_that_are_large(bench: Bench) -> None:
    for n in range(8):
        bench.offer({"t": "x" * (module.TURN_BYTES // 2)}, f"d{n}")
    handled = []
    while bench.turns:
        before = len(bench.handled)
        bench.turns.pop(0)()
        handled.append(len(bench.handled) - before)

    assert handled == [2, 2, 2, 2]


def test_at_the_bound_the_newest_telemetry_of_a_device_supersedes_its_waiting_one(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n, "first": n}, f"d{n}", packet_id=n + 1)
    bench.offer({"t": 40}, "d0", packet_id=5)
    bench.offer({"t": 41, "new": 1}, "d0", packet_id=6)
    bench.run()

    assert bench.reports()[0] == {"t": 41, "first": 0, "new": 1}
    assert len(bench.handled) == 4
    assert [packet_id for packet_id, _ in bench.handled[0].taken_in] == [5, 6]
    assert bench.counts == {("state", "superseded"): 2}


def test_it_tells_when_it_begins_and_when_it_ends_to_shed(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    told_below = list(bench.shedding)
    for n in (4, 5):
        bench.offer({"t": n}, f"d{n}")
    told_above = list(bench.shedding)
    bench.run()

    assert (told_below, told_above, bench.shedding) == ([], [True], [True, False])


def test_a_report_in_which_a_boolean_differs_is_never_superseded(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"on": False}, f"d{n}")
    bench.offer({"on": True}, "d0")
    bench.offer({"on": True, "t": 1}, "d0")
    bench.offer({"on": 1}, "d0")
    bench.run()

    assert [r for m, r in zip(bench.handled, bench.reports(), strict=True) if m.route.external_id == "d0"] == [
        {"on": False},
        {"on": True, "t": 1},
        {"on": 1},
    ]


def test_events_and_handshakes_keep_their_order_and_their_place(bench: Bench) -> None:
    for n in range(3):
        bench.offer({"t": n}, f"d{n}")
    bench.offer(b"e1", "d0", suffix=Suffix.EVENT)
    bench.offer(b"h", "d0", suffix=Suffix.HANDSHAKE)
    bench.offer(b"e1", "d0", suffix=Suffix.EVENT)
    bench.run()

    assert [m.payload for m in bench.handled[3:]] == [b"e1", b"h", b"e1"]


def test_it_is_full_when_nothing_more_can_be_superseded_and_says_when_it_has_room_again(bench: Bench) -> None:
    for n in range(8):
        bench.offer({"t": n}, f"d{n}")
    full, said_before = bench.intake.full, bench.roomy
    bench.run()

    assert full
    assert said_before == 0
    assert not bench.intake.full
    assert bench.roomy > 0


def test_it_is_full_of_few_messages_that_are_large(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES", 1_000)
    bench.offer({"t": "x" * 500}, "d1")
    half = bench.intake.full
    bench.offer({"t": "x" * 500}, "d2")
    full = bench.intake.full
    bench.run()

    assert (half, full, bench.intake.full) == (False, True, False)


def test_without_room_nothing_is_handled_until_it_is_scheduled_again(bench: Bench) -> None:
    bench.room = False
    bench.offer({"t": 1})
    bench.run()
    before = len(bench.handled)
    bench.room = True
    bench.intake.schedule()
    bench.run()

    assert before == 0
    assert bench.reports() == [{"t": 1}]


def test_a_redelivered_report_supersedes_nothing(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}", packet_id=n + 1)
    bench.offer({"t": 9}, "d0", packet_id=1, flags=DUP)
    bench.run()

    assert len(bench.handled) == 5


@pytest.mark.parametrize(
    "will",
    [
        b'{"status":"offline"}',
        b'{"status":"offline","was":"online"}',
        rb'{"status":"offl\u0069ne","was":"online"}',
        b'{"\x5cu0073tatus":"offline","status":"online"}',
    ],
)
def test_no_report_goes_ahead_of_a_will(bench: Bench, will: bytes) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    bench.offer({"t": 5}, "d0")
    bench.offer(will, "d0", suffix=Suffix.HEARTBEAT)
    bench.offer({"t": 6}, "d0")
    bench.offer({"t": 7}, "d0")
    bench.run()

    assert [m.report or m.payload for m in bench.handled if m.route.external_id == "d0"] == [
        {"t": 5},
        will,
        {"t": 7},
    ]


def test_a_will_that_waits_when_overload_begins_counts_too(bench: Bench) -> None:
    bench.offer({"t": 0}, "d0")
    bench.offer(b'{"status":"offline"}', "d0", suffix=Suffix.HEARTBEAT)
    for n in range(2):
        bench.offer({"t": n}, f"other{n}")
    bench.offer({"t": 1}, "d0")
    bench.run()

    assert [m.payload for m in bench.handled if m.route.external_id == "d0"][-1] == b'{"state": {"t": 1}}'


def test_reports_that_would_be_refused_together_stay_apart(bench: Bench) -> None:
    bench.keys = 3
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    bench.offer({"t": 5}, "d0")
    bench.offer({"u": 6}, "d0")
    bench.offer({"v": 7, "w": 8}, "d0")
    bench.run()

    assert [bench.reports()[n] for n in (0, -1)] == [{"t": 5, "u": 6}, {"v": 7, "w": 8}]


@pytest.mark.parametrize("suffix", [Suffix.EVENT, Suffix.HANDSHAKE])
def test_a_flip_stays_behind_what_its_device_said_before(bench: Bench, suffix: Suffix) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    bench.offer({"on": True, "t": 4}, "d1")
    bench.offer(b"press", "d0", suffix=suffix)
    bench.offer({"t": 5}, "d0")
    bench.offer({"on": True}, "d0")
    bench.offer({"t": 6, "on": True}, "d0")
    bench.run()

    assert bench.reports()[1] == {"on": True, "t": 4}
    assert [m.report or m.payload for m in bench.handled if m.route.external_id == "d0"] == [
        {"t": 5},
        b"press",
        {"t": 6, "on": True},
    ]


def test_a_report_under_another_station_id_supersedes_none(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    bench.offer({"t": 5}, "d0", station_id="another")
    bench.offer({"t": 6}, "d0", station_id="another")
    bench.run()

    assert [(m.route.station_id, m.report) for m in bench.handled][-1] == ("another", {"t": 6})


def test_packet_ids_of_a_session_that_is_over_are_forgotten(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}", packet_id=n + 1)
    bench.offer({"t": 9}, "d0", packet_id=7)
    bench.intake.forget_packet_ids()
    bench.run()

    assert [m.packet_id for m in bench.handled] == [0] * 4
    assert not any(m.superseded or m.followed_by for m in bench.handled)


async def test_it_is_drained_when_nothing_waits(bench: Bench) -> None:
    await bench.intake.drained()
    bench.offer({"t": 1})
    bench.run()
    await bench.intake.drained()

    assert len(bench.handled) == 1
