from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from station_core.clock import RELEASED, is_plausible
from station_core.pages import number_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

T = TypeVar("T")

BOUND: Final = 10_000  # newest that are remembered


class Chronicle(Generic[T]):
    """What has happened, in that order, each under the number that it got then; *at* tells the time of one."""

    def __init__(self, at: Callable[[T], datetime]) -> None:
        self._at = at
        self._items: dict[int, T] = {}
        self._last = 0

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def add(self, items: Iterable[T]) -> None:
        """Take in what has happened; the oldest beyond the bound are gone."""
        for item in items:
            self._last += 1
            self._items[self._last] = item
        for number in list(islice(self._items, max(0, len(self._items) - BOUND))):
            del self._items[number]

    def page(
        self, holds: Callable[[T], bool], limit: int, cursor: str | None
    ) -> tuple[Sequence[tuple[int, T]], str | None]:
        """The newest that hold, with their numbers, and the next page's cursor; raise `Malformed` for a wrong one."""
        end = self._last + 1 if cursor is None else number_in(cursor)
        found = [(n, item) for n, item in reversed(self._items.items()) if n < end and holds(item)]
        more = str(found[limit - 1][0]) if len(found) > limit else None
        return found[:limit], more

    def forget(self, before: datetime, limit: int) -> int:
        """See `DeviceStore.forget_activities`."""
        at = {n: self._at(item) for n, item in self._items.items()}
        doomed = sorted((n for n in at if RELEASED <= at[n] < before), key=at.__getitem__)[:limit]
        if doomed:
            last = max(doomed)
            doomed += [n for n in at if n < last and not is_plausible(at[n])][:limit]
        for number in doomed:
            del self._items[number]
        return len(doomed)
