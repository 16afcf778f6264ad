from __future__ import annotations

import io
import sys
import time
import zipfile
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from station_adapters.system.files import write_atomically
from station_app.cli.ordering import order
from station_app.cli.output import Json, answer
from station_core.errors import Malformed

EARLIEST: Final = (1980, 1, 1, 0, 0, 0)  # for a zip file; a box without a battery may start in 1970
Bundle = Annotated[Path | None, Parameter(name="--bundle")]


def doctor(part: str | None = None, *, bundle: Bundle = None, as_json: Json = False) -> None:
    """
    Look at every part of the station, running or not, and say what is wrong and what to do.

    Examples: `station doctor`, `station doctor disk`, `station doctor --json | jq .database.state`,
    `station doctor --bundle station.zip`.

    Exit codes: 0 nothing has failed; 1 something has, or there is no such part; 64 there can't be such a bundle; 75 a
    station is starting or ending; 78 a setting has to be changed before anything else.

    Parameters
    ----------
    part
        database, migrations, broker, secrets, disk, clock, ble or cloud; without: all.
    bundle
        A zip file to make, for whoever helps: version, settings, findings, health, figures, the newest log lines,
        without any secret. Look through it before you give it away.
    as_json
        For machines.

    """
    if bundle is not None and (bundle.is_dir() or not bundle.absolute().parent.is_dir()):
        raise Malformed(f"{bundle} can't be a file: name one in a folder that is there.")
    findings = order("doctor", part=part)
    words = [
        f"{finding['state']:<5} {name:<11} {finding['detail']}"
        + (f"\n{'':18}{finding['todo']}" * bool(finding["todo"]))
        for name, finding in findings.items()
    ]
    answer(findings, "\n".join(words), as_json=as_json)
    if bundle is not None:
        documents = order("bundle")
        write_atomically(bundle, zipped(documents))
        print(f"{bundle} holds {', '.join(documents)}; no secrets. Look through it first.", file=sys.stderr)
    if any(finding["state"] == "fail" for finding in findings.values()):
        sys.exit(1)


def zipped(documents: dict[str, str]) -> bytes:
    """The documents in one file, in a folder of their own."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in documents.items():
            entry = zipfile.ZipInfo(f"station/{name}", date_time=max(EARLIEST, time.localtime()[:6]))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, text)
    return whole.getvalue()
