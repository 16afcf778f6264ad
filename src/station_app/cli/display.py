from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console
from rich.live import Live
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from station_app.simulator.report import Report

T = TypeVar("T")
TERMINAL_PAUSE: Final = 0.5  # seconds between two looks
PLAIN_PAUSE: Final = 5.0  # seconds; each is a line of a log
PLAIN_STEPS: Final = 50  # things done between two lines


class Display:
    """What is going on, on standard error: a table that keeps its place on a terminal, else plain lines."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._stack = ExitStack()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._terminal:
            self._live = self._stack.enter_context(Live(console=self._console, auto_refresh=False, transient=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._live = None

    async def run(self, report: Callable[[], Report]) -> None:
        """Show how it stands, until cancelled."""
        while not self._quiet:
            await asyncio.sleep(TERMINAL_PAUSE if self._live else PLAIN_PAUSE)
            if self._live is not None:
                self._live.update(_table(report()), refresh=True)
            else:
                self._say(_line(report()))

    def each(self, things: Sequence[T], doing: str) -> Iterator[T]:
        """The things, one by one, with a bar or a line now and then."""
        if self._terminal:
            yield from track(things, description=doing, console=self._console, transient=True)
            return
        for number, thing in enumerate(things, 1):
            yield thing
            if not self._quiet and (number % PLAIN_STEPS == 0 or number == len(things)):
                self._say(f"{doing}: {number} of {len(things)}")

    @property
    def _terminal(self) -> bool:
        return self._console.is_terminal and not self._quiet

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


def _line(report: Report) -> str:
    return (
        f"{report.seconds:.0f} s: {report.working} of {report.devices} at work, {report.sent_total} sent, "
        f"{report.acknowledged} acknowledged, {report.received} received, {report.reconnects} reconnects, "
        f"{sum(report.faults.values())} faults"
    )


def _table(report: Report) -> Table:
    rows: Iterable[tuple[str, str]] = [
        (label, rest.strip()) for label, _, rest in (line.partition(" ") for line in report.lines())
    ]
    table = Table.grid(padding=(0, 2))
    for label, content in rows:
        table.add_row(label, content)
    return table
