"""`station device`: as over REST, but by the operator of the machine."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from station_app.cli.ordering import order
from station_app.cli.output import Json, answer, table
from station_core.errors import Malformed

COLUMNS = {"externalId": "EXTERNAL ID", "name": "NAME", "type": "TYPE", "status": "STATUS", "id": "ID"}

app = App(name="device", help="The household's devices.")


@app.command(name="list")
def listed(*, as_json: Json = False) -> None:
    """
    All devices, by name.

    Example: `station device list --json | jq '.[] | select(.status == "offline") | .name'`.

    Exit codes: 0 done; 69 the database can't answer; 75 a station is starting or ending.

    Parameters
    ----------
    as_json
        For machines.

    """
    devices = order("device list")
    answer(devices, table(devices, COLUMNS), as_json=as_json)


@app.command
def add(
    external_id: str, *, type_id: Annotated[str, Parameter(name="--type")], name: str = "", as_json: Json = False
) -> None:
    """
    Add a device and print its token, its MQTT password, which is shown this once.

    Example: `station device add lamp-1 --type light --name "Ceiling light"`.

    Exit codes: 0 done; 1 the id is taken; 64 none may bear it; 69 the database or the broker can't answer;
    75 a station is starting or ending.

    Parameters
    ----------
    external_id
        The id by which the device speaks.
    type_id
        Its type, like light.
    name
        What people call it; without: its external id.
    as_json
        For machines.

    """
    added = order("device add", externalId=external_id, name=name or external_id, type=type_id)
    words = f"{added['name']} is added: id {added['id']}, MQTT user {added['externalId']}, token {added['deviceToken']}"
    answer(added, words, as_json=as_json)


@app.command
def remove(device: str, *, as_json: Json = False) -> None:
    """
    Forget a device and shut the broker's door to it.

    Example: `station device remove lamp-1`.

    Exit codes: 0 done; 1 there is no such device; 69 the database can't answer; 75 a station is starting or ending.

    Parameters
    ----------
    device
        Its id or external id.
    as_json
        For machines.

    """
    removed = order("device remove", device=device)
    answer(removed, f"{removed['name']} is removed.", as_json=as_json)


@app.command
def command(
    device: str,
    action: str,
    *,
    parameters: Annotated[str, Parameter(name="--with")] = "{}",
    wait: Annotated[float, Parameter(validator=Number(gte=0, lte=25))] = 0.0,
    as_json: Json = False,
) -> None:
    """
    Send a device a command.

    Examples: `station device command lamp-1 toggle --wait 3`,
    `station device command lamp-1 set_brightness --with '{"brightness": 40}'`.

    Exit codes: 0 the broker has it (and with --wait, the output says whether its effect has shown); 1 there is no such
    device, or it's offline; 64 its type knows no such command; 69 the station isn't running, or its broker is away.

    Parameters
    ----------
    device
        Its id or external id.
    action
        What it shall do.
    parameters
        A JSON object of the command's parameters.
    wait
        Seconds to wait for the effect to show.
    as_json
        For machines.

    """
    try:
        given = json.loads(parameters)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Malformed("--with takes a JSON object.")
    sent = order("device command", device=device, command={**given, "action": action}, wait=wait)
    effect = sent.get("effect")
    seen = "" if effect is None else f": {effect['capability']} is {json.dumps(effect['value'])}"
    answer(sent, f"{sent['status']}{seen} ({sent['commandId']})", as_json=as_json)
