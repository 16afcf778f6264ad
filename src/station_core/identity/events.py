from __future__ import annotations

from dataclasses import dataclass

from station_core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChanged(Event):
    """A session of this user ended, or the user became another: whoever keeps a link open for them asks `holds`."""

    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited(Event):
    """Somebody was asked to join; the letter that tells the cloud is kept."""

    invite_id: str
