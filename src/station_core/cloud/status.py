from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from station_core.clock import Clock
    from station_core.cloud.claim import Claim
    from station_core.cloud.ports import Outbox


class Mode(StrEnum):
    """Where the link with the cloud is (docs/protocols.md §3, "Modes")."""

    NO_CLOUD = "no_cloud"
    """No cloud is set."""
    UNCLAIMED = "unclaimed"
    """Nobody has claimed the station; it isn't connected."""
    WAITING = "waiting_for_claim"
    """Connected; the cloud knows who it is, and somebody may claim it."""
    CLAIMED = "claimed"
    """Somebody has claimed it; it isn't connected."""
    AUTHENTICATING = "authenticating"
    """Connected; the cloud is asked whether it knows the token."""
    AUTHENTICATED = "authenticated"
    """Connected: methods are served, events flow."""
    REFUSED = "refused"
    """The cloud doesn't know the token; all is kept, and it's asked again later."""
    RESET = "reset"
    """The cloud has asked for a reset, and the station carries it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudStatus:
    """
    How it stands with the cloud; times are labels.

    *connected_since*: when the present connection was opened; *last_error*: why the last one ended or didn't come
    about, kept until the link is authenticated again; *reconnects*: how often it was opened anew in this run;
    *oldest_unsent*: of when the oldest is that waits to go up.
    """

    mode: Mode
    since: datetime
    connected_since: datetime | None
    last_error: str | None
    reconnects: int
    oldest_unsent: datetime | None
    active_channels: Sequence[str]
    claimed_at: datetime | None


class CloudBoard:
    """Where the parts of the link write how they are, each its own, and anybody reads the whole."""

    def __init__(self, *, claim: Claim, outbox: Outbox, clock: Clock) -> None:
        self._claim = claim
        self._outbox = outbox
        self._clock = clock
        self._mode = Mode.NO_CLOUD
        self._since = clock.now()
        self.connected_since: datetime | None = None
        self.last_error: str | None = None
        self.reconnects = 0
        self.oldest_unsent: datetime | None = None

    @property
    def mode(self) -> Mode:
        """Where the link is now."""
        return self._mode

    def turn(self, mode: Mode) -> None:
        """The link is in this mode from now on; in the same one it stays since when it was."""
        if mode is not self._mode:
            self._mode = mode
            self._since = self._clock.now()

    @property
    def status(self) -> CloudStatus:
        """The whole, as it is now."""
        return CloudStatus(
            mode=self._mode,
            since=self._since,
            connected_since=self.connected_since,
            last_error=self.last_error,
            reconnects=self.reconnects,
            oldest_unsent=self.oldest_unsent,
            active_channels=tuple(sorted(self._outbox.active)),
            claimed_at=self._claim.standing.claimed_at,
        )
