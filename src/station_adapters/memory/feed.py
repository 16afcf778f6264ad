from __future__ import annotations

from typing import TYPE_CHECKING, Final

from station_core.clock import RELEASED
from station_core.devices.activity import Activity, ActivityPage
from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

FEED_BOUND: Final = 10_000  # newest activities that are remembered


class MemoryFeed:
    """Activities in the order of happening, each under the number that it got then."""

    def __init__(self) -> None:
        self._items: dict[int, Activity] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Activity]:
        return iter(self._items.values())

    def add(self, items: Iterable[Activity]) -> None:
        """Take in what has happened; the oldest beyond the bound are gone."""
        for item in items:
            self._last += 1
            self._items[self._last] = item
        for number in list(self._items)[: max(0, len(self._items) - FEED_BOUND)]:
            del self._items[number]

    def page(self, holds: Callable[[Activity], bool], limit: int, cursor: str | None) -> ActivityPage:
        """The newest that hold; a cursor is the number of the last that was shown."""
        end = self._last + 1 if cursor is None else _number(cursor)
        found = [(n, item) for n, item in reversed(self._items.items()) if n < end and holds(item)]
        more = str(found[limit - 1][0]) if len(found) > limit else None
        return ActivityPage(items=[item for _, item in found[:limit]], next_cursor=more)

    def forget(self, before: datetime, limit: int) -> int:
        """See `DeviceStore.forget_activities`."""
        dated = [n for n, item in self._items.items() if RELEASED <= item.created_at < before]
        doomed = sorted(dated, key=lambda n: self._items[n].created_at)[:limit]
        if doomed:
            last = max(doomed)
            doomed += [n for n, item in self._items.items() if n < last and item.created_at < RELEASED][:limit]
        for number in doomed:
            del self._items[number]
        return len(doomed)


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 18:  # 64 bits hold any 18 digits
        raise Malformed("This cursor is none of ours.")
    return int(cursor)
