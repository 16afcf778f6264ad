from __future__ import annotations

import sys

from station_app.cli.ordering import order, show
from station_app.cli.status import Json  # noqa: TC001  # cyclopts reads annotations


def doctor(part: str | None = None, *, as_json: Json = False) -> None:
    """
    Look at every part of the station, running or not, and say what is wrong and what to do.

    Examples: `station doctor`, `station doctor disk`, `station doctor --json | jq .database.state`.

    Exit codes: 0 nothing has failed; 1 something has, or there is no such part; 75 a station is starting or ending; 78
    a setting has to be changed before anything else.

    Parameters
    ----------
    part
        database, migrations, broker, secrets, disk, clock, ble or cloud; without: all.
    as_json
        For machines.

    """
    findings = order("doctor", part=part)
    words = [
        f"{finding['state']:<5} {name:<11} {finding['detail']}"
        + (f"\n{'':18}{finding['todo']}" * bool(finding["todo"]))
        for name, finding in findings.items()
    ]
    show(findings, as_json=as_json, words="\n".join(words))
    if any(finding["state"] == "fail" for finding in findings.values()):
        sys.exit(1)
