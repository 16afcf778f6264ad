from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from station_core.errors import KeyReused, StillAnswering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.clock import Clock

KEPT_FOR: Final = 24 * 3600.0  # seconds
BRIEFLY: Final = 10 * 60.0  # seconds, for what bears a secret
SWEPT_EVERY: Final = 60.0  # seconds; so much longer than that it may lie in memory
MOST: Final = 4_096  # answers
MOST_BYTES: Final = 4 * 1024 * 1024
_AROUND: Final = 1_024  # bytes that an answer takes beside its body, generously


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was told."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@dataclass(slots=True)
class _Kept:
    fingerprint: bytes
    answer: Answer | None = None
    until: float = float("inf")

    @property
    def weight(self) -> int:
        return _AROUND + (0 if self.answer is None else len(self.answer.body))


class Answers:
    """
    The first answers to writes that bore an Idempotency-Key, each person's for that person alone.

    Bounded in number and bytes: whoever has most of them loses the oldest. Bounded in time, by the steady clock. Why in
    memory: docs/decisions/0010-sending-again.md.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, dict[str, _Kept]] = {}  # by person and key, each person's in the order of answering
        self._sweep: asyncio.TimerHandle | None = None
        self.count = 0
        self.bytes = 0

    def first(self, person: str, key: str, fingerprint: bytes) -> Answer | None:
        """
        What was answered when this person first sent this; None makes it under way: `keep` or `forget` it then.

        Raise `KeyReused` when it was something else, `StillAnswering` while the first is under way.
        """
        known = self._kept.get(person, {}).get(key)
        if known is not None and known.until <= self._clock.monotonic():
            self._take(person, key)
            known = None
        if known is None:
            self._put(person, key, _Kept(fingerprint))
            return None
        if known.fingerprint != fingerprint:
            raise KeyReused
        if known.answer is None:
            raise StillAnswering
        return known.answer

    def keep(self, person: str, key: str, answer: Answer, *, briefly: bool) -> None:
        """It has been answered; *briefly*, for the answer bears a secret."""
        known = self._take(person, key)
        known.answer = answer
        known.until = self._clock.monotonic() + (BRIEFLY if briefly else KEPT_FOR)
        self._put(person, key, known)
        while (self.count > MOST or self.bytes > MOST_BYTES) and self._drops_one():
            pass
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(SWEPT_EVERY, self.sweep)

    def forget(self, person: str, key: str) -> None:
        """It hasn't been answered in a way that holds: the next one is the first again."""
        self._take(person, key)

    def sweep(self) -> None:
        """Drop what is over; it comes again by itself while anything is kept."""
        now = self._clock.monotonic()
        over = [(who, key) for who, of_person in self._kept.items() for key, it in of_person.items() if it.until <= now]
        for person, key in over:
            self._take(person, key)
        self._sweep = asyncio.get_running_loop().call_later(SWEPT_EVERY, self.sweep) if self.count else None

    def _put(self, person: str, key: str, kept: _Kept) -> None:
        self._kept.setdefault(person, {})[key] = kept
        self.count += 1
        self.bytes += kept.weight

    def _take(self, person: str, key: str) -> _Kept:
        of_person = self._kept[person]
        known = of_person.pop(key)
        if not of_person:
            del self._kept[person]
        self.count -= 1
        self.bytes -= known.weight
        return known

    def _drops_one(self) -> bool:
        """The oldest answer of whoever has most; False when all that they have is still under way."""
        person = max(self._kept, key=lambda who: len(self._kept[who]))
        oldest = next((key for key, kept in self._kept[person].items() if kept.answer is not None), None)
        if oldest is None:
            return False
        self._take(person, oldest)
        return True
