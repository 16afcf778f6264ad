"""
The life of an ESP32 as a state machine (docs/protocols.md §1): what happens and the time in, outputs out; no I/O.

    OFF ─ boot ─▸ CONNECTING ─ connected ─▸ INTRODUCING ─ "ok" ─▸ OPERATIONAL
     ▴                ▴                        │    ▴                 │
     │                └───── disconnected ─────┴────┼─────────────────┤
     │                                              └ unknown_device ─┤
     └── reboot, after a command ─────────────────────────────────────┘
    five times unknown_device, or the command factory_reset ─▸ UNPROVISIONED, the end
"""

from __future__ import annotations

import math
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Final

from station_app.simulator.make import Tally
from station_app.simulator.models import model_of, strands_of
from station_app.simulator.speech import Connect, Disconnect, FactoryReset, Speech, heard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_app.simulator.make import Make
    from station_app.simulator.models import Moment
    from station_app.simulator.speech import Output
    from station_core.values import Value

SUBSCRIPTIONS: Final = ("handshake/ack", "command")
HEARTBEAT: Final = 60.0  # seconds
UNKNOWN_BOUND: Final = 5  # answers "unknown_device" in a row that make it forget its owner
BOOT: Final = 2.0  # seconds that a restart takes
ASK_AGAIN: Final = (2.0, 30.0)  # seconds between handshakes: first, longest
RECONNECT: Final = (1.0, 60.0)  # seconds between attempts to connect: first, longest
JITTER: Final = 0.2  # of each pause, so that a thousand devices don't come back at once


class Phase(StrEnum):
    """Where a device is in its life."""

    OFF = "off"
    CONNECTING = "connecting"
    INTRODUCING = "introducing"
    OPERATIONAL = "operational"
    UNPROVISIONED = "unprovisioned"


JOINED: Final = frozenset({Phase.INTRODUCING, Phase.OPERATIONAL})
"""The phases in which it's connected."""


class Firmware:
    """
    One device. Give it what happens and the time, monotonic seconds; obey what it returns, in order.

    `wakes_at` is when it wants its next `tick`. The same make and inputs give the same life.
    """

    def __init__(self, make: Make) -> None:
        self.make = make
        self.phase = Phase.OFF
        self.version = make.firmware_version
        self.session = make.boots
        self.tally = Tally()
        self._model = model_of(make.type)
        self.state: dict[str, Value] = dict(self._model.state)
        self._speech = Speech(make)
        # At its own rate tempo doesn't matter; at tempo 0 nothing happens of itself, at any rate.
        self._strands = strands_of(self._model, None if make.rate is None else make.tempo / make.rate)
        # Each strand has chances of its own, so that what the network does changes nobody's life.
        self._chances = [
            Random(f"{make.seed}:{make.external_id}:{n}")  # noqa: S311  # a life, not a secret
            for n in range(len(self._strands))
        ]
        self._patience = Random(f"{make.seed}:{make.external_id}:pauses")  # noqa: S311  # same
        self._unknown = 0
        self._reconnect_pause, self._ask_pause = RECONNECT[0], ASK_AGAIN[0]
        self._retries_at = self._beats_at = math.inf
        self._strands_at: list[float] = []

    @property
    def wakes_at(self) -> float:
        """The time of the next `tick` that it wants; infinite when it only waits for others."""
        if self.phase is Phase.OPERATIONAL:
            return min(self._beats_at, *self._strands_at, math.inf)
        return self._retries_at

    def boot(self, now: float) -> list[Output]:
        """Power comes on."""
        if self.phase is not Phase.OFF:
            return []
        self.session += 1
        self.tally.boots += 1
        self._reconnect_pause = RECONNECT[0]
        self._strands_at = [
            now + self._paced(chance.uniform(0.0, strand.first))
            for strand, chance in zip(self._strands, self._chances, strict=True)
        ]
        return self._connect()

    def connected(self, now: float) -> list[Output]:
        """The broker has accepted the connection and the subscriptions."""
        if self.phase is not Phase.CONNECTING:
            return []
        self.tally.connections += 1
        self._ask_pause = ASK_AGAIN[0]
        return self._introduce(now)

    def disconnected(self, now: float) -> list[Output]:
        """The connection is lost, or couldn't be made."""
        if self.phase in JOINED:
            self.tally.disconnections += 1
        elif self.phase is not Phase.CONNECTING:
            return []
        self.phase = Phase.CONNECTING
        self._retries_at = now + self._jittered(self._reconnect_pause)
        self._reconnect_pause = min(self._reconnect_pause * 2, RECONNECT[1])
        return []

    def message(self, suffix: str, payload: bytes, now: float) -> list[Output]:
        """A message has come on one of its `SUBSCRIPTIONS`."""
        if self.phase not in JOINED:
            return []
        if suffix == "command":
            return self._command(heard(payload), now)
        return self._answered(heard(payload).get("status"), now)

    def tick(self, now: float) -> list[Output]:
        """Time has passed."""
        if now < self.wakes_at:
            return []
        match self.phase:
            case Phase.OFF:
                return self.boot(now)
            case Phase.CONNECTING:
                return self._connect()
            case Phase.INTRODUCING:
                return self._introduce(now)
            case _:
                return self._live(now)

    def touch(self, changes: Mapping[str, Value]) -> list[Output]:
        """Somebody or something has changed these capabilities: a wall switch, a cold wind."""
        self.state.update(changes)
        return self._report(changes) if self.phase is Phase.OPERATIONAL else []

    def lose_power(self, now: float) -> None:
        """The power fails, there's no last word, and it boots when the power is back."""
        if self.phase in JOINED:
            self.tally.disconnections += 1
            self.phase, self._retries_at = Phase.OFF, now + BOOT

    def shut_down(self) -> list[Output]:
        """Power goes off in order."""
        last_words = self._leave() if self.phase in JOINED else []
        if self.phase is not Phase.UNPROVISIONED:
            self.phase, self._retries_at = Phase.OFF, math.inf
        return last_words

    def _connect(self) -> list[Output]:
        self.phase, self._retries_at = Phase.CONNECTING, math.inf
        return [Connect(self._speech.heartbeat("offline", self.session))]

    def _introduce(self, now: float) -> list[Output]:
        self._ask_later(now)
        self.tally.handshakes += 1
        return [self._speech.handshake(self.version, self.session)]

    def _ask_later(self, now: float) -> None:
        self.phase = Phase.INTRODUCING
        self._retries_at = now + self._jittered(self._ask_pause)
        self._ask_pause = min(self._ask_pause * 2, ASK_AGAIN[1])

    def _answered(self, status: Value, now: float) -> list[Output]:
        if status == "unknown_device":
            self._unknown += 1
            self.tally.unknown += 1
            if self._unknown >= UNKNOWN_BOUND:
                return self._forget("unknown_device")
            if self.phase is Phase.OPERATIONAL:  # removed from the station while it was at work
                self._ask_pause = ASK_AGAIN[0]
                self._ask_later(now)
        elif status == "ok" and self.phase is Phase.INTRODUCING:
            self.phase = Phase.OPERATIONAL
            self._unknown = 0
            self._reconnect_pause = RECONNECT[0]
            return [*self._beat(now), *self._report(self.state)]
        return []

    def _live(self, now: float) -> list[Output]:
        outputs = self._beat(now) if now >= self._beats_at else []
        for index, strand in enumerate(self._strands):
            if now >= self._strands_at[index]:
                moment = strand.live(self.state, self._chances[index])
                outputs += self._happened(moment)
                rest = self._paced(moment.rest)
                # It keeps its beat, but what was slept through isn't made up for.
                next_at = self._strands_at[index] + rest
                self._strands_at[index] = next_at if next_at > now else now + rest
        return outputs

    def _happened(self, moment: Moment) -> list[Output]:
        self.state.update(moment.changes)
        outputs = self._report(moment.changes) if moment.changes else []
        if moment.action is not None:
            self.tally.events += 1
            outputs.append(self._speech.event(moment.action))
        return outputs

    def _command(self, command: Mapping[str, Value], now: float) -> list[Output]:
        action = command.get("action")
        if self.phase is not Phase.OPERATIONAL:
            return self._rejected(command, "not ready")
        if not isinstance(action, str):
            return self._rejected(command, "malformed")
        match action:
            case "reboot":
                return [*self._obeyed(command), *self._reboot(now)]
            case "factory_reset":
                return [*self._obeyed(command), *self._forget("command")]
            case "ota_update":
                return self._update(command, now)
            case _:
                return self._change(action, command)

    def _update(self, command: Mapping[str, Value], now: float) -> list[Output]:
        version = command.get("version")
        if not isinstance(version, str) or not isinstance(command.get("url"), str):
            return self._rejected(command, "impossible parameters")
        self.version = version
        return [*self._obeyed(command), *self._reboot(now)]

    def _change(self, action: str, command: Mapping[str, Value]) -> list[Output]:
        change = self._model.commands.get(action)
        if change is None:
            return self._rejected(command, "unknown action")
        changes = change(self.state, command)
        if changes is None:
            return self._rejected(command, "impossible parameters")
        self.state.update(changes)
        return [*self._obeyed(command), *self._report(self.state)]

    def _obeyed(self, command: Mapping[str, Value]) -> list[Output]:
        self.tally.obeyed += 1
        return [*self._speech.answer(command, None)]

    def _rejected(self, command: Mapping[str, Value], error: str) -> list[Output]:
        self.tally.rejected += 1
        return [*self._speech.answer(command, error)]

    def _reboot(self, now: float) -> list[Output]:
        self.phase, self._retries_at = Phase.OFF, now + BOOT
        return self._leave()

    def _forget(self, reason: str) -> list[Output]:
        self.phase, self._retries_at = Phase.UNPROVISIONED, math.inf
        return [*self._leave(), FactoryReset(reason)]

    def _leave(self) -> list[Output]:
        return [self._speech.heartbeat("offline", self.session), Disconnect()]

    def _beat(self, now: float) -> list[Output]:
        self._beats_at = now + HEARTBEAT
        self.tally.heartbeats += 1
        return [self._speech.heartbeat("online", self.session)]

    def _report(self, state: Mapping[str, Value]) -> list[Output]:
        self.tally.reports += 1
        return [self._speech.report(state)]

    def _paced(self, seconds: float) -> float:
        return seconds / self.make.tempo if self.make.tempo else math.inf

    def _jittered(self, pause: float) -> float:
        return pause * self._patience.uniform(1 - JITTER, 1 + JITTER)
