from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from station_adapters.memory.chronicle import Chronicle
from station_adapters.memory.content import check_content
from station_core.audit.model import ALL_RECORDS, Deed, Record, RecordPage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from station_core.audit.model import RecordFilter
    from station_core.errors import StationError

T = TypeVar("T")


class Ledger:
    """Deeds in the order in which they were kept; the memory stores of one home share it, as tables do a database."""

    def __init__(self) -> None:
        self.records = Chronicle[Deed](lambda deed: deed.at)

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
            check_content([texts, dict(deed.detail)])

    def add(self, deeds: Sequence[Deed]) -> None:
        """Take in what was checked."""
        self.records.add(deeds)


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
        await self._reach()
        found, more = self.ledger.records.page(lambda deed: _is_wanted(deed, wanted), limit, cursor)
        return RecordPage(items=[Record(number=number, deed=deed) for number, deed in found], next_cursor=more)

    async def forget_records(self, *, before: datetime, limit: int) -> int:
        """See `AuditStore`."""
        await self._reach()
        return self.ledger.records.forget(before, limit)

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
