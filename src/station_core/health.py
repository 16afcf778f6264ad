from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from station_core.events import LinkStatusChanged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from station_core.clock import Clock
    from station_core.events import EventBus


log = logging.getLogger("station.health")


class Phase(StrEnum):
    """Where the station is in its life: edges take work in only while it serves."""

    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How a part of the station is; *detail* says what is wrong in words for the operator, without secrets."""

    up: bool
    since: datetime
    detail: str = ""


STORE: Final = "store"
MQTT: Final = "mqtt"
BLE: Final = "ble"
CLOUD: Final = "cloud"
VITAL: Final = (STORE, MQTT)
"""The parts without which the station isn't ready; all others are told and change nothing (docs/protocols.md §4)."""


class Health:
    """
    What is up and what isn't, told by whoever knows; a part that goes or comes back is an event, and a line in the log.

    Of one part several may tell, each *by* a name of its own: it's up once nobody of them says that it's down.
    `restarts` counts by its name how often each worker had to begin again.
    """

    def __init__(self, bus: EventBus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._parts: dict[str, Part] = {}
        self._down: dict[str, dict[str, str]] = {}  # by part, by who says so: why; last who told last
        self._lost: set[str] = set()
        self.phase = Phase.STARTING
        self.restarts: Counter[str] = Counter()

    @property
    def parts(self) -> Mapping[str, Part]:
        """All parts that were told of so far, by name."""
        return self._parts

    @property
    def ready(self) -> bool:
        """Whether the station serves and its vital parts are up."""
        return self.phase is Phase.SERVING and all(name in self._parts and self._parts[name].up for name in VITAL)

    def expect(self, name: str, detail: str) -> None:
        """A part isn't there yet, which is no loss."""
        if name not in self._parts:
            self._parts[name] = Part(up=False, since=self._clock.now(), detail=detail)
            self._down[name] = {"": detail}

    def tell(self, name: str, *, up: bool, detail: str = "", by: str = "") -> None:
        """A part is up or down now, as far as *by* knows."""
        down = self._down.setdefault(name, {})
        down.pop(by, None)
        if not up:
            down[by] = detail
        elif down:
            up, detail = False, next(reversed(down.values()))
        before = self._parts.get(name)
        if before is not None and (before.up, before.detail) == (up, detail):
            return
        at = self._clock.now()
        changed = before is None or before.up is not up
        self._parts[name] = Part(up=up, since=at if changed or before is None else before.since, detail=detail)
        if changed:
            self._log(name, up=up, detail=detail)
            self._bus.publish([LinkStatusChanged(link=name, up=up, timestamp=at)])

    def _log(self, name: str, *, up: bool, detail: str) -> None:
        if up and name in self._lost:
            self._lost.remove(name)
            log.info("part is back", extra={"part": name})
        elif not up and self.phase is not Phase.STOPPING:  # at the end all go
            self._lost.add(name)
            log.warning("part is lost", extra={"part": name, "reason": detail})
