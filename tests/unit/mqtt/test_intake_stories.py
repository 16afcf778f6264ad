"""Whatever comes in overload: what reports say in the end, and each flip on the way, is as if none had been merged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.mqtt import intake as module
from station_adapters.mqtt.topics import Suffix
from tests.unit.mqtt.intake_bench import Bench

EVENT, WILL = b'{"event":"user_event","data":{"action":"press"}}', b'{"status":"offline"}'
SUFFIXES = {EVENT: Suffix.EVENT, WILL: Suffix.HEARTBEAT}
REPORTS = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(st.booleans(), st.integers(0, 3), st.floats(0, 1), st.none()),
    min_size=1,
    max_size=3,
)


@given(offers=st.lists(st.tuples(st.sampled_from(["x", "y"]), REPORTS), max_size=60), each=st.integers(1, 9))
def test_overload_changes_neither_the_final_state_nor_any_flip(
    offers: list[tuple[str, dict[str, Any]]], each: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHED_FROM", 4)
        bench = Bench()
        for n, (device, report) in enumerate(offers):
            bench.offer(report, device)
            if n % each == 0 and bench.turns:
                bench.turns.pop(0)()
        bench.run()

    for device in ("x", "y"):
        sent = [report for name, report in offers if name == device]
        got = [r for m, r in zip(bench.handled, bench.reports(), strict=True) if m.route.external_id == device]
        assert merged(got) == merged(sent)
        assert flips(got) == flips(sent)


@given(
    offers=st.lists(st.tuples(st.sampled_from(["x", "y"]), REPORTS | st.sampled_from([EVENT, WILL])), max_size=60),
    each=st.integers(1, 9),
)
def test_overload_changes_no_order_of_flips_and_of_what_else_a_device_says(
    offers: list[tuple[str, dict[str, Any] | bytes]], each: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHED_FROM", 4)
        bench = Bench()
        for n, (device, said) in enumerate(offers):
            bench.offer(said, device, suffix=SUFFIXES[said] if isinstance(said, bytes) else Suffix.STATE)
            if n % each == 0 and bench.turns:
                bench.turns.pop(0)()
        bench.run()

    for device in ("x", "y"):
        sent = [said for name, said in offers if name == device]
        got = [bench.said(message) for message in bench.handled if message.route.external_id == device]
        assert story(got) == story(sent)
        assert (got[-1:] == [WILL]) == (sent[-1:] == [WILL])


def story(said: list[dict[str, Any] | bytes]) -> list[object]:
    """Flips and everything that is no report, in order."""
    state: dict[str, Any] = {}
    told: list[object] = []
    for message in said:
        if isinstance(message, bytes):
            told.append(message)
            continue
        for key, new in message.items():
            old = state.get(key)
            if isinstance(old, bool) and isinstance(new, bool) and old is not new:
                told.append((key, new))
        state |= message
    return told


def merged(reports: list[dict[str, Any]]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for report in reports:
        state |= report
    return state


def flips(reports: list[dict[str, Any]]) -> dict[str, list[bool]]:
    """For each capability, the booleans to which it flipped, in order."""
    state: dict[str, Any] = {}
    found: dict[str, list[bool]] = {}
    for report in reports:
        for key, new in report.items():
            old = state.get(key)
            if isinstance(old, bool) and isinstance(new, bool) and old is not new:
                found.setdefault(key, []).append(new)
        state |= report
    return found
