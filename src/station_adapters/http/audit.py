from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Router, get
from litestar.params import FromQuery, QueryParameter

from station_adapters.http.instants import instant
from station_adapters.http.waiting import in_time
from station_core.audit.model import Action, ActorKind, RecordFilter, SubjectKind
from station_core.values import text_weight

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.audit.model import Record
    from station_core.home import Home

Limit = Annotated[int, QueryParameter(ge=1, le=500)]


class ActorOut(msgspec.Struct, rename="camel"):
    """Who did it, by the name of that time."""

    kind: ActorKind
    id: str | None
    name: str | None


class SubjectOut(msgspec.Struct, rename="camel"):
    """Whom or what it was done to, by the name of that time."""

    kind: SubjectKind
    id: str | None
    name: str | None


class RecordOut(msgspec.Struct, rename="camel"):
    """What somebody did; *result* is `done`, or why it didn't come to pass."""

    id: str
    actor: ActorOut
    action: Action
    subject: SubjectOut
    result: str
    detail: dict[str, Any]
    at: datetime


class RecordPageOut(msgspec.Struct, rename="camel"):
    """Some of it, newest first."""

    items: list[RecordOut]
    next_cursor: str | None


def audit_routes(home: Home, guards: Guards) -> Router:
    """Who did what to whom, and when: for owners."""

    @get("/api/audit", before_request=guards.owner)
    async def audit(
        actor_kind: Annotated[ActorKind | None, QueryParameter(name="actorKind")] = None,
        actor_id: Annotated[str | None, QueryParameter(name="actorId")] = None,
        action: FromQuery[list[Action] | None] = None,
        subject_kind: Annotated[SubjectKind | None, QueryParameter(name="subjectKind")] = None,
        subject_id: Annotated[str | None, QueryParameter(name="subjectId")] = None,
        since: Annotated[str | None, QueryParameter(name="from")] = None,
        until: Annotated[str | None, QueryParameter(name="to")] = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> RecordPageOut:
        """Of all or of one, to all or to one; of some kinds; from a time on, before one."""
        for text in (actor_id, subject_id, cursor):
            if text is not None:
                text_weight(text)
        wanted = RecordFilter(
            actor_kind=actor_kind,
            actor_id=actor_id,
            actions=frozenset(action or ()),
            subject_kind=subject_kind,
            subject_id=subject_id,
            since=instant("from", since),
            until=instant("to", until),
        )
        async with in_time():
            page = await home.audit_store.records(wanted, limit=limit, cursor=cursor)
        return RecordPageOut(items=[record_out(record) for record in page.items], next_cursor=page.next_cursor)

    return Router("/", route_handlers=[audit], tags=["audit"])


def record_out(record: Record) -> RecordOut:
    """A record as the wire has it."""
    deed = record.deed
    return RecordOut(
        id=str(record.number),
        actor=ActorOut(kind=deed.actor.kind, id=deed.actor.id, name=deed.actor.name),
        action=deed.action,
        subject=SubjectOut(kind=deed.subject.kind, id=deed.subject.id, name=deed.subject.name),
        result=deed.result,
        detail=dict(deed.detail),
        at=deed.at,
    )
