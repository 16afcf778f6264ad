"""Every command that there is. Each is imported when it's called: `--help` must be quick."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError

from station_app.cli import USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

app = App(
    name="station",
    version=lambda: version("station"),
    help="""The program that runs a smart home. Settings come from STATION_* and a TOML file: docs/protocols.md §7.

    To look around: `station demo`. For a home: `station config check`, then `station serve`. When something is wrong:
    `station doctor`.
    """,
    help_epilogue="Exit codes: 0 done; 1 it failed; 64 wrong command line; 65 a newer program's database; "
    "69 something can't be reached; 74 disk full; 75 another station runs; 77 not allowed; 78 a setting is wrong.",
)

app.command(
    "station_app.cli.serve:serve",
    name="serve",
    help="""Run the station until SIGTERM or SIGINT. It waits for a database or broker that is away, and says so.

    For example:

    - `station serve`
    - `STATION_DATA_DIR=/srv/home STATION_HTTP_PORT=8080 station serve`
    """,
)
app.command(
    "station_app.cli.demo:demo",
    name="demo",
    help="""Run a station with virtual devices in ./.demo until Ctrl-C, and print what to try.

    For example:

    - `station demo`
    """,
)
app.command(
    "station_app.cli.simulate:app",
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
    - `station doctor --bundle station.zip` (for whoever helps; holds no secrets)
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


def run(words: Sequence[str]) -> None:
    """Do what the words say; words that are wrong are said to be so, and end the process."""
    try:
        app(words, exit_on_error=False)
    except CycloptsError:
        raise SystemExit(USAGE) from None
