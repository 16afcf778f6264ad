from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select

from station_core.clock import OUTLIVED, RELEASED
from station_core.pages import number_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Table

    from station_adapters.sql.engine import Database


class Chronicle:
    """A table of what has happened: `seq` numbers its rows in the order of happening, *at* is the time of each."""

    def __init__(self, database: Database, table: Table, at: Column[datetime]) -> None:
        self._database = database
        self._table = table
        self._at = at

    async def page(
        self, conditions: Iterable[ColumnElement[bool]], *, limit: int, cursor: str | None
    ) -> tuple[Sequence[RowMapping], str | None]:
        """The newest rows that satisfy all, and the cursor of the next page; raise `Malformed` for a wrong one."""
        seq = self._table.c.seq
        query = select(self._table).where(*conditions).order_by(seq.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(seq < number_in(cursor))
        found = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        shown = found[:limit]
        more = str(shown[-1]["seq"]) if shown and len(found) > limit else None
        return shown, more

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See `DeviceStore.forget_activities`."""
        seq, at = self._table.c.seq, self._at
        expired = select(seq).where(at >= RELEASED, at < before).order_by(at).limit(limit)

        def forget(connection: Connection) -> int:
            doomed = connection.scalars(expired).all()
            if doomed:
                undated = select(seq).where(or_(at < RELEASED, at >= OUTLIVED), seq < max(doomed)).limit(limit)
                doomed = [*doomed, *connection.scalars(undated).all()]
                connection.execute(delete(self._table).where(seq.in_(doomed)))
            return len(doomed)

        return await self._database.run(forget)
