from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Final, TypeVar

from station_core.audit.model import ALL_RECORDS, Record, RecordPage
from station_core.clock import RELEASED
from station_core.errors import ChangeRefused, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from station_core.audit.model import Deed, RecordFilter
    from station_core.errors import StationError

T = TypeVar("T")

LEDGER_BOUND: Final = 10_000  # newest records that are remembered
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON text


class Ledger:
    """Deeds in the order in which they were kept; the memory stores of one home share it, as tables do a database."""

    def __init__(self) -> None:
        self.records: dict[int, Deed] = {}
        self._last = 0

    def with_deed(self, effect: Callable[[], T], deed: Deed | None) -> T:
        """The effect and the deed that it is, both or neither."""
        deeds = () if deed is None else (deed,)
        self.check(deeds)
        done = effect()
        self.add(deeds)
        return done

    def check(self, deeds: Sequence[Deed]) -> None:
        """Raise `ChangeRefused` for what no database can keep."""
        for deed in deeds:
            texts = (deed.actor.id, deed.actor.name, deed.subject.id, deed.subject.name, deed.result)
            try:
                text = json.dumps([texts, dict(deed.detail)], allow_nan=False, ensure_ascii=False)
                text.encode()
            except (ValueError, TypeError) as error:
                raise ChangeRefused(type(error).__name__) from None
            if _NUL.search(text):
                raise ChangeRefused("NUL")

    def add(self, deeds: Sequence[Deed]) -> None:
        """Take in what was checked; the oldest beyond the bound are gone."""
        for deed in deeds:
            self._last += 1
            self.records[self._last] = deed
        for number in list(self.records)[: max(0, len(self.records) - LEDGER_BOUND)]:
            del self.records[number]


class MemoryAuditStore:
    """An `AuditStore` without a database; `trouble` is what every call raises while it is set."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self.trouble: StationError | None = None

    async def keep(self, deeds: Sequence[Deed]) -> None:
        """See `AuditStore`."""
        await self._reach()
        self.ledger.check(deeds)
        self.ledger.add(deeds)

    async def records(
        self, wanted: RecordFilter = ALL_RECORDS, *, limit: int = 50, cursor: str | None = None
    ) -> RecordPage:
        """See `AuditStore`; a cursor is the number of the last record that was shown."""
        end = None if cursor is None else _number(cursor)
        await self._reach()
        found = [
            Record(number=number, deed=deed)
            for number, deed in reversed(self.ledger.records.items())
            if (end is None or number < end) and _is_wanted(deed, wanted)
        ]
        more = str(found[limit - 1].number) if len(found) > limit else None
        return RecordPage(items=found[:limit], next_cursor=more)

    async def forget_records(self, *, before: datetime, limit: int) -> int:
        """See `AuditStore`."""
        await self._reach()
        records = self.ledger.records
        dated = [n for n, deed in records.items() if RELEASED <= deed.at < before]
        doomed = sorted(dated, key=lambda n: records[n].at)[:limit]
        if doomed:
            last = max(doomed)
            doomed += [n for n, deed in records.items() if n < last and deed.at < RELEASED][:limit]
        for number in doomed:
            del records[number]
        return len(doomed)

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # a store is never reached without waiting
        if self.trouble is not None:
            raise self.trouble


def _is_wanted(deed: Deed, wanted: RecordFilter) -> bool:
    pairs = (
        (wanted.actor_kind, deed.actor.kind),
        (wanted.actor_id, deed.actor.id),
        (wanted.subject_kind, deed.subject.kind),
        (wanted.subject_id, deed.subject.id),
    )
    return (
        all(asked in {None, actual} for asked, actual in pairs)
        and (not wanted.actions or deed.action in wanted.actions)
        and (wanted.since is None or deed.at >= wanted.since)
        and (wanted.until is None or deed.at < wanted.until)
    )


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 18:  # 64 bits hold any 18 digits
        raise Malformed("This cursor is none of ours.")
    return int(cursor)
