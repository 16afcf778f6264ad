from __future__ import annotations

from io import StringIO

import msgspec
import pytest
from rich.console import Console

from station_app.cli.display import Display
from station_app.simulator.report import FORGOT, NOT_JOINED, Report

WELL = Report(
    seconds=10.0,
    cpu_seconds=1.5,
    devices=3,
    types={"light": 3},
    joined=3,
    working=2,
    connections=4,
    reconnects=1,
    sent={"handshake": 4, "state": 6},
    sent_total=10,
    acknowledged=10,
    dropped=0,
    received=4,
    commands_obeyed=1,
    commands_rejected=0,
    faults={"drop": 1},
    errors={},
)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (WELL, 0),
        (msgspec.structs.replace(WELL, joined=2, errors={NOT_JOINED: 1}), 1),
        (msgspec.structs.replace(WELL, errors={FORGOT: 1}), 1),
        (msgspec.structs.replace(WELL, connections=0, joined=0), 69),
    ],
)
def test_the_exit_code_tells_how_it_went(report: Report, code: int) -> None:
    assert report.exit_code == code


def test_people_read_a_fact_a_line() -> None:
    lines = WELL.lines()

    assert lines[0] == "devices    3 (light 3), 3 joined, 2 at work"
    assert lines[1] == "sent       10 (handshake 4, state 6), 1.0 a second"
    assert lines[5:7] == ["faults     drop 1", "errors     none"]


def test_without_a_terminal_progress_is_plain_lines() -> None:
    told = StringIO()
    display = Display(console=Console(file=told, force_terminal=False))
    done = list(display.each(range(120), "adding devices"))

    assert done == list(range(120))
    assert told.getvalue().splitlines() == [f"adding devices: {n} of 120" for n in (50, 100, 120)]


def test_quiet_is_quiet() -> None:
    told = StringIO()
    display = Display(quiet=True, console=Console(file=told, force_terminal=True))
    with display:
        done = list(display.each(range(60), "adding devices"))

    assert (len(done), told.getvalue()) == (60, "")
