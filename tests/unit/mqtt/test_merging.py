"""Which reports go into which in overload."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.mqtt import intake as module
from station_core.values import MAX_MESSAGE, MAX_TEXT

if TYPE_CHECKING:
    from tests.unit.mqtt.intake_bench import Bench


@pytest.mark.parametrize(
    "wrong",
    [
        b"{",
        b'{"state": []}',
        b'{"state":{"t":9223372036854775808}}',
        b'{"state":{"t":' + b"[" * 31 + b"]" * 31 + b"}}",
        b'{"state":{"t":1' + b" " * MAX_MESSAGE + b"}}",
    ],
    ids=["none of JSON", "no object", "beyond 64 bits", "nested too deep", "over 64 KiB of nothing"],
)
def test_a_malformed_report_takes_no_other_with_it(bench: Bench, wrong: bytes) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    bench.offer(wrong, "d0")
    bench.offer({"t": 5}, "d1")
    bench.run()

    assert [m.payload for m in bench.handled].count(wrong) == 1
    assert {"t": 5} in [m.report for m in bench.handled]


def test_a_report_takes_no_malformed_one_in_that_waits_before_it(bench: Bench) -> None:
    wrong = b'{"state":{"t":9223372036854775808}}'
    for n in range(3):
        bench.offer({"t": n}, f"d{n}")
    bench.offer(wrong, "d3")
    for n in (5, 6, 7):
        bench.offer({"t": n}, "d3")
    bench.run()

    assert [m.payload for m in bench.handled].count(wrong) == 1
    assert bench.reports()[3:] == [{"t": 2**63}, {"t": 7}]


@pytest.mark.parametrize(
    ("one", "other"),
    [("21.5", "21"), ("21", "21.5"), ("-9223372036854775807", "0.5")],
    ids=["whole after a fraction", "a fraction after whole", "the least"],
)
def test_numbers_supersede_each_other_with_and_without_a_fraction(bench: Bench, one: str, other: str) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    for said in (one, other, one, other):
        bench.offer(b'{"state":{"t":%s}}' % said.encode(), "d0")
    bench.run()

    assert bench.reports()[0] == {"t": json.loads(other)}
    assert len(bench.handled) == 4


def test_a_whole_number_beyond_64_bits_after_a_fraction_gets_its_own_verdict(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n + 0.5}, f"d{n}")
    bench.offer({"t": 2**63}, "d0")
    bench.run()

    assert bench.reports()[0] == {"t": 0.5}
    assert bench.reports()[-1] == {"t": 2**63}


def test_a_flip_of_one_name_is_not_taken_for_the_calm_of_another(bench: Bench) -> None:
    said: list[dict[str, Any]] = [
        {"a": True, "b": 5},
        {"a": True, "b": 6},
        {"a": 1, "b": True},
        {"a": 1, "b": False},
        {"a": 1, "b": True},
    ]
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    for report in said:
        bench.offer(report, "lamp")
    bench.run()

    assert bench.reports()[4:] == said[1:]


def test_what_reports_grow_by_counts_among_the_bytes_that_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES", 1_000)
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    for n in range(4):
        bench.offer({f"name{k}": n for k in range(10)}, f"d{n}")
    full, weight = bench.intake.full, bench.intake.weight
    bench.run()

    assert (len(bench.handled), full) == (4, True)
    assert weight > sum(len(json.dumps({"state": report})) for report in bench.reports())
    assert (bench.intake.weight, bench.intake.full) == (0, False)


def test_the_shape_of_a_large_report_is_not_remembered(bench: Bench) -> None:
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    large = {"x" * 100 + str(k): k for k in range(8)}
    for n in range(4):
        bench.offer({**large, "n": n}, "d5")
        bench.offer({"t": n}, "d6")
    shapes = dict(bench.intake._shapes)
    bench.run()

    assert list(shapes) == ["d6"]
    assert bench.reports()[4:] == [{**large, "n": 3}, {"t": 3}]


def test_the_shapes_of_ever_new_devices_take_a_bounded_place(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHAPES", 2)
    for n in range(8):
        bench.offer({f"t{n}": n}, f"d{n}")
        bench.offer({f"t{n}": n + 0.5}, f"d{n}")
    bench.run()

    assert [report for report in bench.reports() if 7.5 in report.values()] == [{"t7": 7.5}]
    assert bench.counts == {("state", "superseded"): 6}


@pytest.mark.parametrize("wrong", ["x" * (MAX_TEXT + 1), "a\0b", "\ud800"], ids=["too long", "NUL", "lone surrogate"])
def test_a_text_in_place_of_a_text_is_looked_at_too(bench: Bench, wrong: str) -> None:
    bench.offer({"mode": "calm"}, "d0")
    for n in range(3):
        bench.offer({"t": n}, f"other{n}")
    bench.offer({"mode": "wild"}, "d0")
    bench.offer({"mode": wrong}, "d0")
    bench.run()

    texts = [m.report or m.payload for m in bench.handled if m.route.external_id == "d0"]
    assert texts == [{"mode": "wild"}, json.dumps({"state": {"mode": wrong}}).encode()]


def test_reports_become_one_only_as_far_as_one_report_may_go(bench: Bench) -> None:
    keys = {f"k{n}": n for n in range(127)}
    large, other = ({f"{name}{n}": "x" * 4_000 for n in range(10)} for name in "ab")
    for n in range(4):
        bench.offer({"t": n}, f"d{n}")
    bench.offer(keys, "d0")
    bench.offer({"t": 5, "one more": 1}, "d0")
    bench.offer(large, "d1")
    bench.offer({**large, "t": 6}, "d1")
    bench.offer(other, "d1")
    bench.run()

    assert bench.reports()[:2] == [{"t": 0, **keys}, {"t": 6, **large}]
    assert bench.reports()[4:] == [{"t": 5, "one more": 1}, other]


@pytest.mark.parametrize(
    ("newer", "kept"),
    [
        (b'{"state":{"t":7,"on":true}}', [{"t": 7, "on": True}]),
        (b'{"state":{"t":7.5,"on":true}}', [{"t": 7.5, "on": True}]),
        (b'{"state":{"on":true,"t":7}}', [{"t": 7, "on": True}]),
        (b'{"state":{"t":"hot","on":true}}', [{"t": "hot", "on": True}]),
        (b'{"state":{"t":null,"on":true}}', [{"t": None, "on": True}]),
        (b'{"state":{"t":9223372036854775808,"on":true}}', [{"t": 0, "on": True}, {"t": 2**63, "on": True}]),
        (b'{"state":{"t":7,"on":false}}', [{"t": 0, "on": True}, {"t": 7, "on": False}]),
        (b'{"state":{"t":7,"on":1}}', [{"t": 0, "on": True}, {"t": 7, "on": 1}]),
        (b'{"state":{"t":true,"on":true}}', [{"t": 0, "on": True}, {"t": True, "on": True}]),
    ],
)
def test_a_report_of_the_same_shape_supersedes_unless_a_boolean_differs(
    bench: Bench, newer: bytes, kept: list[dict[str, Any]]
) -> None:
    bench.offer({"t": 0, "on": True}, "d0")
    for n in range(3):
        bench.offer({"t": n}, f"other{n}")
    bench.offer(newer, "d0")
    bench.run()

    assert [r for m, r in zip(bench.handled, bench.reports(), strict=True) if m.route.external_id == "d0"] == kept
