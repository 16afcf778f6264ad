"""The `station` command. Each subcommand is imported when it's called: `--help` must be quick."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from cyclopts import App, CycloptsError

from station_core.errors import (
    Malformed,
    SettingInvalid,
    StationError,
    StoreFull,
    StoreNewer,
    StoreTaken,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE: Final = 64
EXIT_CODES: Final[Mapping[type[StationError], int]] = {
    Malformed: USAGE,  # EX_USAGE, the command line is wrong
    StoreNewer: 65,  # EX_DATAERR, a newer program made the database
    Unavailable: 69,  # EX_UNAVAILABLE, what a command needs can't be reached
    StoreFull: 74,  # EX_IOERR, the disk is full
    StoreTaken: 75,  # EX_TEMPFAIL, another station is running
    Unauthenticated: 77,  # EX_NOPERM, a password or token doesn't hold
    SettingInvalid: 78,  # EX_CONFIG, the operator has to change something
}
"""As sysexits.h has them; of an error's kinds the nearest counts. docs/commands.md tells them to operators."""

app = App(
    name="station",
    help="The program that runs a smart home. Settings come from STATION_* and a TOML file: docs/protocols.md §7.",
    help_epilogue="Exit codes: 0 done; 1 it failed; 64 wrong command line; 65 a newer program's database; "
    "69 something can't be reached; 74 disk full; 75 another station runs; 77 not allowed; 78 a setting is wrong.",
)

app.command("station_app.cli.serve:serve", name="serve", help="Run the station until SIGTERM or SIGINT.")
app.command(
    "station_app.cli.demo:demo",
    name="demo",
    help="Run a station with virtual devices in ./.demo until Ctrl-C, and print what to try.",
)
app.command(
    "station_app.cli.simulate:simulate",
    name="simulate",
    help="""Run virtual devices against a broker until Ctrl-C or for --seconds, and sum up what they did.

    Exit codes: 0 every device joined its station; 1 some didn't, or were told to forget it; 69 nobody reached the
    broker, or the station can't be reached; 77 the station refuses the owner; 78 an option has to be changed.

    For example:

    - `station simulate --devices 200 --url mqtt://127.0.0.1:1883 --token-file tokens.json`
    - `station simulate --devices 20 --seconds 60 --faults all --fault-rate 2 --json`
    """,
)
app.command("station_app.cli.config:app", name="config", help="Look at the settings, check them, describe them.")
app.command("station_app.cli.db:app", name="db", help="The tables of the database: where they are, up and down.")
app.command(
    "station_app.cli.openapi:openapi",
    name="openapi",
    help="""Print the OpenAPI document of the HTTP interface; nothing is started.

    For example:

    - `station openapi > openapi.json`
    - `station openapi --json | jq '.paths | keys'`
    """,
)


app.command(
    "station_app.cli.status:status",
    name="status",
    help="""Tell how the running station is. Exit code 69: it isn't running.

    For example:

    - `station status`
    - `station status --json | jq .phase`
    """,
)
app.command(
    "station_app.cli.status:log_level",
    name="log-level",
    help="""Log more, or less, until the next start. Exit code 69: no station is running.

    For example:

    - `station log-level debug`
    """,
)
app.command(
    "station_app.cli.doctor:doctor",
    name="doctor",
    help="""Look at every part of the station, running or not, and say what is wrong and what to do.

    Exit codes: 0 nothing has failed; 1 something has, or there is no such part.

    For example:

    - `station doctor`
    - `station doctor ble`
    - `station doctor --json | jq .database.state`
    """,
)
app.command("station_app.cli.user:app", name="user", help="The people of the household.")
app.command(
    "station_app.cli.claim:claim",
    name="claim",
    help="""Show what the cloud has to be shown by whoever is to own the station there, also as a QR code.

    For example:

    - `station claim`
    - `station claim --again`
    """,
)
app.command("station_app.cli.device:app", name="device", help="The household's devices.")


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; a fact that the operator can act on is one sentence and an exit code, no traceback."""
    try:
        app(words, exit_on_error=False)
    except CycloptsError:  # it has said what is wrong
        sys.exit(USAGE)
    except StationError as error:
        print(f"station: {error}", file=sys.stderr)
        sys.exit(exit_code(error))


def exit_code(error: StationError) -> int:
    """The exit code of the kind of error that is nearest."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)
