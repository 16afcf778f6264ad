from __future__ import annotations

from typing import Any

from station_app.cli.ordering import order
from station_app.cli.output import Json, answer
from station_app.settings import LogLevel  # noqa: TC001  # cyclopts reads annotations


def status(*, as_json: Json = False) -> None:
    """
    How the running station is: its phase and parts, its devices, since when.

    Examples: `station status`, `station status --json | jq .ready`.

    Exit codes: 0 it runs; 69 it isn't running, or doesn't answer.

    Parameters
    ----------
    as_json
        For machines.

    """
    found = order("status")
    answer(found, _words(found), as_json=as_json)


def log_level(level: LogLevel, *, as_json: Json = False) -> None:
    """
    Log from another weight on, until the next start.

    Example: `station log-level debug`.

    Exit codes: 0 done; 69 the station isn't running.

    Parameters
    ----------
    level
        debug, info, warning, error or critical.
    as_json
        For machines.

    """
    changed = order("log-level", level=level.value)
    answer(changed, f"The station logs from {changed['now']} on; before: {changed['before']}.", as_json=as_json)


def _words(found: dict[str, Any]) -> str:
    parts = [
        f"  {name}: {'up' if part['up'] else 'down'} since {part['since']}"
        + (f", {part['detail']}" * bool(part["detail"]))
        for name, part in found["parts"].items()
    ]
    counts = ", ".join(f"{count} {kind}" for kind, count in found["devices"].items())
    ready = "ready" if found["ready"] else "not ready"
    who = f"{found['name'] or 'Station'}: station {found['version']}"
    head = f"{who} (process {found['pid']}) is {found['phase']}, {ready}"
    return "\n".join(
        [
            f"{head}, up for {_span(found['uptimeSeconds'])}",
            *parts,
            f"  devices: {counts}; users: {found['users']}; waiting to be kept: {found['journalWaiting']}",
            f"  logs from {found['logLevel']} on",
        ]
    )


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    return (f"{days} d " if days else "") + f"{hours:02}:{minutes:02}:{rest:02}"
