from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from cyclopts import App

from station_app.cli.output import Json, answer, columns, document
from station_app.settings import examine_settings, load_settings
from station_app.settings.document import schema as schema_of_settings
from station_app.settings.shown import listed

if TYPE_CHECKING:
    from station_app.settings import Settings

WRONG: Final = 78  # EX_CONFIG, as for every setting that is wrong

app = App(
    name="config",
    help="Look at the settings, check them, describe them. None of it starts or changes anything.",
    help_epilogue="Exit codes: 0 all is right (warnings are told); 64 wrong command line; 78 a setting is wrong.",
)


@app.command
def show(*, json: Json = False) -> None:
    """
    Print every setting, its value and where that came from; secrets and passwords are hidden.

    For example:

    - `station config show`
    - `station config show --json | jq '.settings[] | select(.origin != "default")'`
    """
    settings = load_settings(os.environ)
    told = listed(settings)
    rows = [(one["name"], _text(one["value"]), f"({one['source']})") for one in told["settings"]]
    rows += [("[[device_types]]", kind, f"({settings.config})") for kind in told["deviceTypes"]]
    answer(told, columns(rows), as_json=json)


@app.command
def check(*, json: Json = False) -> None:
    """
    Check all settings, of the environment and the file, and tell everything that is wrong.

    For example:

    - `station config check`
    - `STATION_CONFIG=/etc/station.toml station config check --json`
    """
    settings, problems = examine_settings(os.environ)
    sentences = [str(problem) for problem in problems]
    lines = [*sentences, *(f"Warning: {warning}" for warning in settings.warnings)]
    if not sentences:
        lines.append(f"The settings are right ({settings.config or 'there is no settings file'}).")
    result = {"ok": not sentences, "config": settings.config, "problems": sentences, "warnings": settings.warnings}
    answer(result | {"config": _path(settings)}, "\n".join(lines), as_json=json)
    if sentences:
        sys.exit(WRONG)


@app.command
def schema(*, json: Json = False) -> None:
    """
    Print a JSON Schema of station.toml, with defaults, for editors that complete and check it.

    For example:

    - `station config schema > station.schema.json`, and `#:schema ./station.schema.json` as station.toml's first line
    """
    document(schema_of_settings(), as_json=json)


def _path(settings: Settings) -> str | None:
    return None if settings.config is None else str(settings.config)


def _text(value: str | int | list[str] | None) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return str(value).lower()
        case list():
            return ",".join(value)
    return str(value)
