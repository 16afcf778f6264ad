from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

RELEASED: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""A wall clock that shows an earlier time is wrong: this program didn't exist then."""
OUTLIVED: Final = datetime(2046, 1, 1, tzinfo=UTC)
"""One that shows this or a later time is wrong too: no release runs in a home for twenty years."""


def is_plausible(instant: datetime) -> bool:
    """Whether a clock may show it."""
    return RELEASED <= instant < OUTLIVED


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


class SteadyTime:
    """
    The time by which things expire: it starts where the wall clock stands and then goes on with the monotonic one.

    So no jump of the wall clock ends or revives anything, be it 56 years on a box that starts in 1970 and then finds
    the network, or an hour back. After a restart the wall clock's word counts again, if it's plausible, but never below
    what is known.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        shown = clock.now()
        self._start = shown if is_plausible(shown) else RELEASED

    def now(self) -> datetime:
        """Aware, UTC; never goes back."""
        return self._start + timedelta(seconds=self._clock.monotonic() - self._began)

    def is_past(self, known: datetime) -> None:
        """Something was dated *known* in an earlier run, if by a plausible clock: it can't be earlier now."""
        if is_plausible(known):
            self._start += max(known - self.now(), timedelta())


class Randomness(Protocol):
    """Where ids and secrets come from."""

    def uuid(self) -> str:
        """A fresh UUID in its canonical text form."""
        ...

    def token(self) -> str:
        """A fresh secret of 256 random bits, URL-safe text."""
        ...
