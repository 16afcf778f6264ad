"""The judges of the soak: they see what grows and what is missing, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.gauges import JUDGED_FROM, Reading, Sample
from tests.system.onlookers import Record, Sequel

if TYPE_CHECKING:
    from collections.abc import Sequence


def reading(*, mb_an_hour: float = 0.0, **added: int) -> Reading:
    """Half an hour, in which so much is added."""
    calm = Sample(
        at=0, pid=1, rss=80, threads=5, descriptors=20, children=0, cpu=0, tasks=30, waiting=0, blocks=500_000
    )
    return Reading(
        [
            replace(
                calm,
                at=n * 10.0,
                rss=80 + mb_an_hour * n / 360,
                cpu=n / 10,
                **{what: getattr(calm, what) + count * n // 180 for what, count in added.items()},
            )
            for n in range(181)
        ]
    )


@pytest.mark.parametrize(
    ("grown", "words"),
    [
        (reading(), []),
        (reading(mb_an_hour=0.9, descriptors=5, threads=5, tasks=5, waiting=5), []),
        (reading(mb_an_hour=1.1), ["Its memory grows by 1.10 MB an hour."]),
        (reading(descriptors=18), ["Its open descriptors have grown by 12."]),
        (reading(threads=18), ["Its threads have grown by 12."]),
        (reading(blocks=4_900), []),
        (reading(blocks=5_100), ["What lives in its memory grows by 10,200 blocks an hour."]),
        (reading(tasks=18), ["Its tasks have grown by 12."]),
        (reading(waiting=18), ["Its waiting messages and changes have grown by 12."]),
    ],
)
def test_what_grows_is_told(grown: Reading, words: list[str]) -> None:
    assert grown.verdict(JUDGED_FROM) == words


@pytest.mark.parametrize("at", [0, 180])
def test_a_login_in_the_middle_of_a_sample_neither_hides_growth_nor_is_one(at: int) -> None:
    def with_a_login(calm: Reading) -> Reading:
        samples = list(calm.samples)
        samples[at] = replace(samples[at], rss=samples[at].rss + 64)
        return Reading(samples)

    assert with_a_login(reading(mb_an_hour=0.9)).verdict(JUDGED_FROM) == []
    assert with_a_login(reading(mb_an_hour=1.1)).verdict(JUDGED_FROM) == ["Its memory grows by 1.10 MB an hour."]


def test_the_slope_of_a_short_run_is_not_judged() -> None:
    assert reading(mb_an_hour=50).verdict(JUDGED_FROM - 1) == []


@pytest.mark.parametrize(
    ("stream", "broken"),
    [
        ([("device_state_changed", 6), ("pong", None), ("device_state_changed", 7)], 0),
        ([("device_state_changed", 6), ("snapshot", 90), ("device_state_changed", 91)], 0),
        ([("device_state_changed", 7)], 1),
        ([("device_state_changed", 6), ("device_state_changed", 6)], 1),
        ([("snapshot", 90), ("device_state_changed", 90)], 1),
        ([("snapshot", 4)], 1),
    ],
)
def test_a_message_that_is_missing_or_doubled_is_told(stream: Sequence[tuple[str, int | None]], broken: int) -> None:
    record = Record()
    sequel = Sequel("plain", 5, record)
    for kind, seq in stream:
        message: dict[str, Any] = {"type": kind} | ({} if seq is None else {"seq": seq})
        sequel.take(message)

    assert len(record.broken) == broken
