from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from station_app.simulator.firmware import Firmware, Phase
from station_app.simulator.make import Make
from station_app.simulator.speech import Publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_app.simulator.speech import Output

OK, UNKNOWN = b'{"status": "ok"}', b'{"status": "unknown_device"}'
DISCONNECT = ("Disconnect", None)
LAMP = Make(external_id="lamp-1", type="light")
NEWER = replace(LAMP, newer=True, boots=6)
WEATHER = Make(external_id="c-1", type="climate", qos=0)


def said(outputs: Sequence[Output]) -> list[tuple[str, Any]]:
    """Outputs in short: (suffix, payload) of what is published, (name, None) of the rest."""
    return [
        (output.suffix, json.loads(output.payload)) if isinstance(output, Publish) else (type(output).__name__, None)
        for output in outputs
    ]


def introducing(make: Make = LAMP) -> Firmware:
    firmware = Firmware(make)
    firmware.boot(0)
    firmware.connected(0)
    return firmware


def operational(make: Make = LAMP) -> Firmware:
    firmware = introducing(make)
    firmware.message("handshake/ack", OK, 0)
    return firmware


def in_phase(phase: Phase) -> Firmware:
    firmware = Firmware(LAMP)
    if phase is not Phase.OFF:
        firmware.boot(0)
    if phase in {Phase.INTRODUCING, Phase.OPERATIONAL, Phase.UNPROVISIONED}:
        firmware.connected(0)
    if phase in {Phase.OPERATIONAL, Phase.UNPROVISIONED}:
        firmware.message("handshake/ack", OK, 0)
    if phase is Phase.UNPROVISIONED:
        firmware.message("command", b'{"action": "factory_reset"}', 0)
    assert firmware.phase is phase
    return firmware


def let_live(firmware: Firmware, *, until: float) -> list[tuple[float, Output]]:
    """All that it does of itself, and when."""
    life: list[tuple[float, Output]] = []
    while (now := firmware.wakes_at) <= until:
        life += [(now, output) for output in firmware.tick(now)]
    return life
