"""
What goes wrong with a device on purpose, and when: no I/O, the same seed gives the same script.
"""

from __future__ import annotations

import math
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Final

from station_app.simulator.speech import Publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Fault(StrEnum):
    """What a device can be told to do wrong."""

    DROP = "drop"
    """The connection breaks without DISCONNECT: the broker publishes the last will."""
    DUPLICATE = "duplicate"
    """The last message comes again: at QoS 1 with DUP and its packet id, at QoS 0 as it was."""
    LATE_WILL = "late-will"
    """Power fails; when the device is back at work in a new session, the will of the old one arrives once more."""
    RUBBISH = "rubbish"
    """A payload or a topic that breaks the contract (docs/protocols.md §1)."""


class FaultScript:
    """
    One device's faults, *per_minute* of them on average, of *kinds*, at times as random as those of radio.

    Ask `due` when the device can do one; what can't be done now waits, and the next is counted from then.
    """

    def __init__(self, kinds: Sequence[Fault], *, per_minute: float, seed: int, external_id: str) -> None:
        self.due_at = math.inf
        self._kinds = tuple(dict.fromkeys(kinds))
        self._per_second = per_minute / 60
        self._chance = Random(f"{seed}:{external_id}:faults")  # noqa: S311  # repeatable on purpose
        self._next = Fault.DROP

    def begin(self, now: float) -> None:
        """The device lives from now on; a script that has begun goes on."""
        if self.due_at == math.inf:
            self._plan(now)

    def due(self, now: float) -> Fault | None:
        """The fault whose time has come, once."""
        if now < self.due_at:
            return None
        fault = self._next
        self._plan(now)
        return fault

    def rubbish(self, station_id: str, external_id: str, qos: int) -> Publish:
        """Some of it."""
        topic, payload = self._chance.choice(_RUBBISH)
        return Publish(
            "rubbish",
            payload,
            qos,
            topic=topic.format(own=f"station/{station_id}/device/{external_id}", id=external_id),
        )

    def _plan(self, now: float) -> None:
        if self._kinds and self._per_second > 0:
            self.due_at = now + self._chance.expovariate(self._per_second)
            self._next = self._chance.choice(self._kinds)


def _everywhere(build: Callable[[str], bytes]) -> list[tuple[str, bytes]]:
    """The same content on each topic that carries JSON."""
    return [(f"{{own}}/{suffix}", build(suffix)) for suffix in ("handshake", "state", "event", "heartbeat")]


_DEEP: Final = 2_000  # levels
_OVER: Final = 65 * 1024  # bytes; an incoming message is at most 64 KiB (docs/protocols.md)
_RUBBISH: Final = (
    *_everywhere(lambda _: b""),
    *_everywhere(lambda _: b"no JSON"),
    *_everywhere(lambda _: b"\xff\xfe\x00"),
    *_everywhere(lambda _: b"[1, 2, 3]"),
    *_everywhere(lambda _: b"{}"),
    *_everywhere(lambda _: b'{"state": {"on": tr'),
    *_everywhere(lambda _: b"[" * _DEEP),
    ("{own}/state", b'{"state": 7}'),
    ("{own}/state", b'{"state": {"temperature": NaN}}'),
    ("{own}/state", b'{"state": {"temperature": 9223372036854775808}}'),
    ("{own}/state", b'{"state": {"name": "\\u0000"}}'),
    ("{own}/state", b'{"state": {"name": "' + b"x" * _OVER + b'"}}'),
    ("{own}/handshake", b'{"type": 7, "firmwareVersion": "1.0"}'),
    ("{own}/event", b'{"event": 7, "data": []}'),
    ("{own}/heartbeat", b'{"status": "sleeping"}'),
    ("{own}/telemetry", b'{"state": {}}'),
    ("{own}/state/more", b'{"state": {}}'),
    ("{own}/", b'{"state": {}}'),
    ("station//device/{id}/state", b'{"state": {}}'),
    ("station/no station/device/{id}/state", b'{"state": {}}'),
)
"""Topic and payload."""
