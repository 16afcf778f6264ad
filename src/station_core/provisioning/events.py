"""What is heard on the radio and becomes of it: for people who may provision, so never in the broadcast stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from station_core.events import Event

if TYPE_CHECKING:
    from station_core.provisioning.model import Attempt, Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSeen(Event):
    """A candidate is in range: a new one, a better known one, or one seen again after a while."""

    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateLost(Event):
    """A candidate wasn't heard of any more, or turned out to bear another id."""

    external_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningProgressed(Event):
    """A provisioning has come a step further, or to its end."""

    attempt: Attempt
