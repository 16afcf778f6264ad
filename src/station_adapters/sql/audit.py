"""Deeds in the database: alone, in the transaction of what they changed, and in the journal's batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import delete, insert, select

from station_adapters.sql.content import check_texts, to_json
from station_adapters.sql.tables import audit
from station_core.audit.model import (
    ALL_RECORDS,
    Action,
    Actor,
    ActorKind,
    Deed,
    Record,
    RecordFilter,
    RecordPage,
    Subject,
    SubjectKind,
)
from station_core.clock import RELEASED
from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from station_adapters.sql.engine import Database

T = TypeVar("T")

COLUMNS: Final = (
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action",
    "subject_kind",
    "subject_id",
    "subject_name",
    "result",
    "detail",
)


def recorded(work: Callable[[Connection], T], deed: Deed | None) -> Callable[[Connection], T]:
    """The work, and the deed that it is, in one transaction; raise `ChangeRefused` for a deed that can't be kept."""
    if deed is None:
        return work
    row = _row(deed)

    def both(connection: Connection) -> T:
        done = work(connection)
        connection.execute(insert(audit).values(row))
        return done

    return both


def journal_row(deed: Deed, instant: Callable[[datetime], object]) -> tuple[object, ...]:
    """A deed's `COLUMNS` as the drivers take them; raise `ChangeRefused` for what can never be kept."""
    row = _row(deed)
    return (instant(deed.at), *(row[column] for column in COLUMNS[1:-1]), to_json(deed.detail))


class SqlAuditStore:
    """An `AuditStore` in PostgreSQL or SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, deeds: Sequence[Deed]) -> None:
        """See `AuditStore`."""
        rows = [_row(deed) for deed in deeds]
        if rows:
            await self._database.run(lambda connection: connection.execute(insert(audit), rows).rowcount)

    async def records(
        self, wanted: RecordFilter = ALL_RECORDS, *, limit: int = 50, cursor: str | None = None
    ) -> RecordPage:
        """See `AuditStore`; a cursor is the number of the last record that was shown."""
        query = select(audit).where(*_conditions(wanted)).order_by(audit.c.seq.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(audit.c.seq < _number(cursor))
        found = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        shown = found[:limit]
        more = str(shown[-1]["seq"]) if shown and len(found) > limit else None
        return RecordPage(items=[_record(row) for row in shown], next_cursor=more)

    async def forget_records(self, *, before: datetime, limit: int) -> int:
        """See `AuditStore`."""
        seq, at = audit.c.seq, audit.c.at
        expired = select(seq).where(at >= RELEASED, at < before).order_by(at).limit(limit)

        def forget(connection: Connection) -> int:
            doomed = connection.scalars(expired).all()
            if doomed:
                undated = select(seq).where(at < RELEASED, seq < max(doomed)).limit(limit)
                doomed = [*doomed, *connection.scalars(undated).all()]
                connection.execute(delete(audit).where(seq.in_(doomed)))
            return len(doomed)

        return await self._database.run(forget)


def _row(deed: Deed) -> dict[str, Any]:
    actor, subject = deed.actor, deed.subject
    to_json(deed.detail)
    check_texts((actor.id, actor.name, subject.id, subject.name, deed.result))
    return {
        "at": deed.at,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "action": deed.action.value,
        "subject_kind": subject.kind.value,
        "subject_id": subject.id,
        "subject_name": subject.name,
        "result": deed.result,
        "detail": deed.detail,
    }


def _record(row: RowMapping) -> Record:
    return Record(
        number=row["seq"],
        deed=Deed(
            actor=Actor(kind=ActorKind(row["actor_kind"]), id=row["actor_id"], name=row["actor_name"]),
            action=Action(row["action"]),
            subject=Subject(kind=SubjectKind(row["subject_kind"]), id=row["subject_id"], name=row["subject_name"]),
            result=row["result"],
            detail=row["detail"],
            at=row["at"],
        ),
    )


def _conditions(wanted: RecordFilter) -> Iterator[ColumnElement[bool]]:
    columns = audit.c
    exact = {
        columns.actor_kind: wanted.actor_kind,
        columns.actor_id: wanted.actor_id,
        columns.subject_kind: wanted.subject_kind,
        columns.subject_id: wanted.subject_id,
    }
    yield from (column == value for column, value in exact.items() if value is not None)
    if wanted.actions:
        yield columns.action.in_(sorted(wanted.actions))
    if wanted.since is not None:
        yield columns.at >= wanted.since
    if wanted.until is not None:
        yield columns.at < wanted.until


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 18:  # 64 bits hold any 18 digits
        raise Malformed("This cursor is none of ours.")
    return int(cursor)
