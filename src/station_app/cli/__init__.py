"""The `station` command. Each subcommand imports what it needs when it's called: `--help` must be quick."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from cyclopts import App

from station_core.errors import SettingInvalid, StationError, StoreTaken, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_CODES: Final[Mapping[type[StationError], int]] = {
    SettingInvalid: 78,  # sysexits.h: EX_CONFIG, the operator has to change something
    StoreTaken: 75,  # EX_TEMPFAIL, another station is running
    Unavailable: 69,  # EX_UNAVAILABLE, what a command needs can't be reached
    Unauthenticated: 77,  # EX_NOPERM, a password or token doesn't hold
}

app = App(
    name="station",
    help="The program that runs a smart home. Settings come from STATION_* and a TOML file: docs/protocols.md §7.",
)


@app.command
def serve() -> None:
    """Run the station until SIGTERM or SIGINT."""
    from station_app.cli.serve import serve as run  # noqa: PLC0415  # see the module

    run()


@app.command
def demo() -> None:
    """Run a station with virtual devices in ./.demo until Ctrl-C, and print what to try."""
    from station_app.cli.demo import demo as run  # noqa: PLC0415  # see the module

    run()


app.command(
    "station_app.cli.simulate:simulate",
    name="simulate",
    help="""Run virtual devices against a broker until Ctrl-C or for --seconds, and sum up what they did.

    Exit codes: 0 every device joined its station; 1 some didn't, or were told to forget it; 69 nobody reached the
    broker, or the station can't be reached; 77 the station refuses the owner; 78 an option has to be changed.""",
)


def main() -> None:
    """Run the command line; a fact that the operator can act on is one sentence and an exit code, no traceback."""
    try:
        app()
    except StationError as error:
        print(f"station: {error}", file=sys.stderr)
        sys.exit(EXIT_CODES.get(type(error), 1))
