from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """
    What a device is, from the factory and its provisioning.

    *newer* firmware numbers its boots (after *boots* earlier ones) and acknowledges commands. *tempo* makes what goes
    on in it so many times faster, 0 lets nothing happen of itself; heartbeats and back-off keep their pace. *rate*
    makes it report so many times a second; without, at the pace of its type. *seed* and the id decide its life.
    """

    external_id: str
    type: str
    firmware_version: str = "1.4.0"
    chip: str | None = "esp32"
    kit_tag: str | None = None
    newer: bool = False
    boots: int = 0
    tempo: float = 1.0
    rate: float | None = None
    qos: int = 1
    seed: int = 0


@dataclass(slots=True)
class Tally:
    """What a device has done so far."""

    boots: int = 0
    connections: int = 0
    disconnections: int = 0
    handshakes: int = 0
    unknown: int = 0
    heartbeats: int = 0
    reports: int = 0
    events: int = 0
    obeyed: int = 0
    rejected: int = 0
