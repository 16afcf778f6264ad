"""What the documents type and a machine may lack: `stand_ins.py mosquitto_pub …`, `stand_ins.py sqlite3 …`."""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from paho.mqtt import publish

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCES: Final = Path(__file__).parents[2] / "src"


def provide(folder: Path, mqtt_port: int) -> None:
    """Put the commands into the folder, the machine's own where it has them; MQTT goes to the port."""
    folder.mkdir(exist_ok=True)
    commands = {
        name: f"{shutil.which(name) or f'{sys.executable} {__file__} {name}'} {more}"
        for name, more in {"mosquitto_pub": f"-p {mqtt_port} ", "sqlite3": ""}.items()
    }
    commands["station"] = f"env PYTHONPATH={SOURCES} {sys.executable} -m station_app "
    for name, command in commands.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {command}"$@"\n')
        script.chmod(0o755)


def mosquitto_pub(given: Sequence[str]) -> None:
    options = argparse.ArgumentParser(add_help=False)
    for flag in "pqutiPm":
        options.add_argument(f"-{flag}")
    said = options.parse_args(given)
    login: publish.AuthParameter = {"username": said.u, "password": said.P}
    publish.single(
        said.t, said.m, qos=int(said.q), hostname="127.0.0.1", port=int(said.p), client_id=said.i, auth=login
    )


def sqlite(given: Sequence[str]) -> None:
    path, *statements = given
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        if not statement.startswith("."):
            for row in connection.execute(statement):
                print(*row, sep="|")
    connection.close()


if __name__ == "__main__":
    {"mosquitto_pub": mosquitto_pub, "sqlite3": sqlite}[sys.argv[1]](sys.argv[2:])
