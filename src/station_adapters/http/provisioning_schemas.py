"""The shapes of provisioning on HTTP and on the live socket: candidates, attempts, the Wi-Fi; no I/O."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING, Final

import msgspec

from station_core.provisioning.events import CandidateLost, CandidateSeen, ProvisioningProgressed
from station_core.provisioning.model import Step  # noqa: TC001  # same

if TYPE_CHECKING:
    from station_core.provisioning.model import Attempt, Candidate

ForViewers: Final = (CandidateSeen, CandidateLost)
"""What goes to those alone who look for new devices, outside the numbered stream; progress to all who may look."""


class CandidateOut(msgspec.Struct, rename="camel"):
    """A device in radio range (docs/protocols.md §2); *rssi* in dBm."""

    external_id: str
    device_type: str
    default_name: str
    rssi: int
    last_seen: datetime
    provisioned: bool


class CandidatesOut(msgspec.Struct, rename="camel"):
    """All that are in range; always one page."""

    items: list[CandidateOut]
    next_cursor: str | None = None


class ProvisioningCandidate(msgspec.Struct, tag_field="type", tag="provisioning_candidate"):
    """It's in range."""

    candidate: CandidateOut


class ProvisioningCandidateLost(msgspec.Struct, rename="camel", tag_field="type", tag="provisioning_candidate_lost"):
    """It isn't any more, or bears another id."""

    external_id: str


class ProvisioningProgress(
    msgspec.Struct, rename="camel", tag_field="type", tag="provisioning_progress", omit_defaults=True
):
    """A provisioning has come a step further."""

    provisioning_id: str
    external_id: str
    step: Step
    code: str | None = None


class AttemptOut(msgspec.Struct, rename="camel", omit_defaults=True):
    """A provisioning; *code* says why it failed, *deviceId* is there once it's done, or from the start."""

    id: str
    external_id: str
    step: Step
    created_at: datetime
    code: str | None = None
    device_id: str | None = None


class AttemptIn(msgspec.Struct, rename="camel"):
    """
    A device to provision; *location* is the name of a zone, which is made when there's none.

    One of the household keeps its name and zone; *again* says that it may be online.
    """

    external_id: str
    name: str | None = None
    location: str | None = None
    zone_id: str | None = None
    again: bool = False


class WifiIn(msgspec.Struct):
    """The home's network; an open one has an empty password."""

    ssid: str
    password: str


class WifiOut(msgspec.Struct):
    """The home's network as people see it: the password is never read back."""

    ssid: str | None


def attempt_out(attempt: Attempt) -> AttemptOut:
    """A provisioning as the wire shows it."""
    return msgspec.convert(attempt, AttemptOut, from_attributes=True)


def progress(event: ProvisioningProgressed) -> bytes:
    """The message of an attempt."""
    told = event.attempt
    return _encode(ProvisioningProgress(told.id, told.external_id, told.step, told.code))


def candidate_out(candidate: Candidate) -> CandidateOut:
    """A candidate as the wire shows it."""
    return msgspec.convert(candidate, CandidateOut, from_attributes=True)


def sighted(candidate: Candidate) -> bytes:
    """The message of a candidate."""
    return _encode(ProvisioningCandidate(candidate_out(candidate)))


def for_viewers(event: CandidateSeen | CandidateLost) -> bytes:
    """The message of an event."""
    if isinstance(event, CandidateSeen):
        return sighted(event.candidate)
    return _encode(ProvisioningCandidateLost(event.external_id))


_encode: Final = msgspec.json.Encoder().encode
