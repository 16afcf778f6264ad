"""What a person wants of the station's agent, and what became of it; values only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class What(StrEnum):
    """What can be restarted."""

    NETWORK = "network"
    STATION = "station"
    HOST = "host"


class State(StrEnum):
    """What became of a restart; all but the first end it."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """One restart, from the wish to its end; *error* is what the agent said of a failure."""

    id: str
    what: What
    asked_at: datetime
    state: State = State.PENDING
    ended_at: datetime | None = None
    error: str | None = None

    def ended(self, state: State, *, at: datetime, error: str | None = None) -> Restart:
        """With its end."""
        return replace(self, state=state, ended_at=at, error=error)
