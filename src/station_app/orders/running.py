"""About the station itself, while it runs."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_app.logs import set_level
from station_app.orders.order import Nothing, Order
from station_app.settings import LogLevel  # noqa: TC001  # msgspec reads the fields' types
from station_core.audit.model import INSTALLER, STATION, Action, Deed
from station_core.devices.model import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.home import Home

log = logging.getLogger("station")


class Level(msgspec.Struct, forbid_unknown_fields=True):
    """From which weight on to log."""

    level: LogLevel


async def status(home: Home, _: Nothing) -> dict[str, Any]:
    """How it is, in short."""
    devices = Counter(device.status for device in home.household.devices())
    return {
        "name": home.residents.station_name,
        "version": version("station"),
        "pid": os.getpid(),
        "uptimeSeconds": round(_uptime()),
        "phase": home.health.phase,
        "ready": home.health.ready,
        "parts": {
            name: {"up": part.up, "since": part.since, "detail": part.detail}
            for name, part in home.health.parts.items()
        },
        "devices": {kind.value: devices[kind] for kind in Status},
        "users": len(home.accounts.users()),
        "journalWaiting": home.journal.waiting,
        "logLevel": logging.getLevelName(logging.getLogger().level).lower(),
    }


async def log_level(home: Home, wanted: Level) -> dict[str, Any]:
    """Another level from now on, until the next start."""
    before = logging.getLevelName(logging.getLogger().level).lower()
    set_level(wanted.level.value)
    detail = {"order": "log-level", "before": before, "now": wanted.level.value}
    home.audit.note(Deed(actor=INSTALLER, action=Action.ORDER, subject=STATION, at=home.clock.now(), detail=detail))
    log.warning("log level changed", extra={"before": before, "now": wanted.level.value})
    return {"before": before, "now": wanted.level.value}


ORDERS: Final[Mapping[str, Order]] = {
    "status": Order(wants=Nothing, carry_out=status, live=True, always=True),
    "log-level": Order(wants=Level, carry_out=log_level, live=True, always=True),
}


def _uptime() -> float:
    """Seconds since this process began, as the kernel knows it (proc_pid_stat(5), field 22)."""
    ticks = int(Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
