"""
What a simulation has done: as one value, as lines for people, and as the exit code.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from station_app.simulator.faults import Fault

if TYPE_CHECKING:
    from station_app.simulator.fleet import Fleet

EX_UNAVAILABLE: Final = 69  # sysexits.h
NOT_JOINED: Final = "not joined"
FORGOT: Final = "forgot its owner"


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Totals over all devices; *joined* were at work at least once, *working* at the end; *sent* is by kind."""

    seconds: float
    cpu_seconds: float
    devices: int
    types: dict[str, int]
    joined: int
    working: int
    connections: int
    reconnects: int
    sent: dict[str, int]
    sent_total: int
    acknowledged: int
    dropped: int
    received: int
    commands_obeyed: int
    commands_rejected: int
    faults: dict[str, int]
    errors: dict[str, int]

    @property
    def exit_code(self) -> int:
        """0: all is as it should be; 69: nobody got through to the broker; 1: some device didn't join, or was lost."""
        if self.devices and not self.connections:
            return EX_UNAVAILABLE
        return 0 if self.joined == self.devices and not {NOT_JOINED, FORGOT} & self.errors.keys() else 1

    def lines(self) -> list[str]:
        """For people, one fact a line."""
        rate = self.sent_total / self.seconds if self.seconds else 0.0
        return [
            f"devices    {self.devices} ({_listed(self.types)}), {self.joined} joined, {self.working} at work",
            f"sent       {self.sent_total} ({_listed(self.sent)}), {rate:.1f} a second",
            f"receipts   {self.acknowledged}, {self.dropped} messages not sent because the broker took none",
            f"commands   {self.commands_obeyed} obeyed, {self.commands_rejected} rejected",
            f"connected  {self.connections} times, {self.reconnects} of them again",
            f"faults     {_listed(self.faults)}",
            f"errors     {_listed(self.errors)}",
            f"took       {self.seconds:.1f} s, {self.cpu_seconds:.1f} s of CPU",
        ]


def report_of(fleet: Fleet, *, devices: int, working: int, seconds: float, cpu_seconds: float) -> Report:
    """What a fleet that was to have so many *devices* has done; *working* were at work at the end."""
    tally, traffic = fleet.tally(), fleet.traffic()
    faults: Counter[str] = Counter(dict.fromkeys(Fault, 0))
    errors: Counter[str] = Counter()
    joined = 0
    for device in fleet:
        faults.update(device.done)
        if device.forgot is not None:
            errors[FORGOT] += 1
        if device.firmware.tally.heartbeats:  # it beats as soon as it's welcome
            joined += 1
        else:
            errors[NOT_JOINED] += 1
            if device.trouble is not None:
                errors[str(device.trouble)] += 1
    if missing := devices - len(fleet):
        errors[NOT_JOINED] += missing
    return Report(
        seconds=round(seconds, 3),
        cpu_seconds=round(cpu_seconds, 3),
        devices=devices,
        types=dict(Counter(device.firmware.make.type for device in fleet)),
        joined=joined,
        working=working,
        connections=tally.connections,
        reconnects=sum(max(0, device.firmware.tally.connections - 1) for device in fleet),
        sent=dict(sorted(traffic.suffixes.items())),
        sent_total=traffic.sent,
        acknowledged=traffic.acknowledged,
        dropped=traffic.dropped,
        received=traffic.received,
        commands_obeyed=tally.obeyed,
        commands_rejected=tally.rejected,
        faults={str(kind): number for kind, number in faults.items() if number},
        errors=dict(errors),
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items()) or "none"
