from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """Time, as the station gets to know it."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC: labels only, it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: every timer and interval uses these."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when *seconds* of `monotonic` time have gone by."""
        ...


class Randomness(Protocol):
    """Where ids and secrets come from."""

    def uuid(self) -> str:
        """A fresh UUID in its canonical text form."""
        ...

    def token(self) -> str:
        """A fresh secret of 256 random bits, URL-safe text."""
        ...
