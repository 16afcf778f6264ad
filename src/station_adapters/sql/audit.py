"""Deeds in the database: alone, in the transaction of what they changed, and in the journal's batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import insert

from station_adapters.sql.chronicle import Chronicle
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
        self._chronicle = Chronicle(database, audit, audit.c.at)

    async def keep(self, deeds: Sequence[Deed]) -> None:
        """See `AuditStore`."""
        rows = [_row(deed) for deed in deeds]
        if rows:
            await self._database.run(lambda connection: connection.execute(insert(audit), rows).rowcount)

    async def records(
        self, wanted: RecordFilter = ALL_RECORDS, *, limit: int = 50, cursor: str | None = None
    ) -> RecordPage:
        """See `AuditStore`."""
        shown, more = await self._chronicle.page(_conditions(wanted), limit=limit, cursor=cursor)
        return RecordPage(items=[_record(row) for row in shown], next_cursor=more)

    async def forget_records(self, *, before: datetime, limit: int) -> int:
        """See `AuditStore`."""
        return await self._chronicle.forget(before=before, limit=limit)


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
