"""
A batch of the journal, as each database takes it fastest: all of the dialects' difference on the hot path is here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, cast

from station_adapters.sql import commit_sqlite
from station_adapters.sql.audit import COLUMNS
from station_adapters.sql.tables import microseconds
from station_core.errors import StoreTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from station_adapters.sql.batch import Rows
    from station_adapters.sql.engine import Database
    from station_adapters.sql.postgres import PostgresDatabase
    from station_adapters.sql.sqlite import SqliteDatabase

# In one round trip, which is also the transaction. `fresh` has no row when the batch is kept already or another
# station has loaded since; all else joins it and has no row either.
POSTGRES: Final = """
WITH fresh AS (
    UPDATE journal SET last_batch = $1, last_seq = last_seq + $2
    WHERE id = 1 AND last_batch < $1 AND epoch = coalesce($3, epoch)
    RETURNING last_seq - $2 AS seq
), reported AS (
    UPDATE devices SET
        type = new.type, status = new.status, last_known_state = new.state::json,
        firmware_version = new.firmware_version, chip = new.chip, kit_tag = new.kit_tag,
        last_heartbeat_at = new.last_heartbeat_at, station_id = new.station_id, session = new.session, acks = new.acks,
        updated_at = new.updated_at
    FROM fresh, unnest(
        $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::text[],
        $12::bigint[], $13::boolean[], $14::timestamptz[], $15::uuid[]
    ) AS new (
        type, status, state, firmware_version, chip, kit_tag, last_heartbeat_at, station_id,
        session, acks, updated_at, id
    )
    WHERE devices.id = new.id
), told AS (
    INSERT INTO device_events (seq, id, device_id, event_type, payload, device_name, device_type, created_at)
    SELECT fresh.seq + new.n, new.id, new.device_id, new.event_type, new.payload::json, new.device_name,
        new.device_type, new.created_at
    FROM fresh, unnest(
        $16::uuid[], $17::uuid[], $18::text[], $19::text[], $20::text[], $21::text[], $22::timestamptz[]
    ) WITH ORDINALITY AS new (id, device_id, event_type, payload, device_name, device_type, created_at, n)
), forgotten AS (
    DELETE FROM journal_deliveries USING fresh WHERE batch >= $23 AND batch < $24
), delivered AS (
    INSERT INTO journal_deliveries (batch, deliveries) SELECT $1, $25::bytea FROM fresh WHERE $25 IS NOT NULL
)
SELECT seq FROM fresh
"""
# Commands by people are rare, and not every home has a cloud: what devices report needn't carry their columns.
_DEEDS: Final = """
), done AS (
    INSERT INTO audit (
        at, actor_kind, actor_id, actor_name, action, subject_kind, subject_id, subject_name, result, detail
    )
    SELECT new.at, new.actor_kind, new.actor_id, new.actor_name, new.action, new.subject_kind, new.subject_id,
        new.subject_name, new.result, new.detail::json
    FROM fresh, unnest(
        $+0::timestamptz[], $+1::text[], $+2::text[], $+3::text[], $+4::text[], $+5::text[], $+6::text[], $+7::text[],
        $+8::text[], $+9::text[]
    ) WITH ORDINALITY AS new (
        at, actor_kind, actor_id, actor_name, action, subject_kind, subject_id, subject_name, result, detail, n
    )
    ORDER BY new.n
"""
_LETTERS: Final = """
), posted AS (
    INSERT INTO outbox (seq, id, rank, channel, method, params, size, written_at)
    SELECT fresh.seq + new.n, new.id, new.rank, new.channel, new.method, new.params::json, new.size, new.written_at
    FROM fresh, unnest(
        $+0::bigint[], $+1::uuid[], $+2::smallint[], $+3::text[], $+4::text[], $+5::text[], $+6::integer[],
        $+7::timestamptz[]
    ) AS new (n, id, rank, channel, method, params, size, written_at)
"""
_MARKS: Final = (
    (
        "updated_at = new.updated_at\n",
        """updated_at = new.updated_at, unsent_state_at = coalesce(new.state_at, devices.unsent_state_at),
        unsent_state_seq = coalesce(fresh.seq + new.state_after, devices.unsent_state_seq)
""",
    ),
    ("$15::uuid[]\n", "$15::uuid[], $26::timestamptz[], $27::bigint[]\n"),
    ("updated_at, id\n", "updated_at, id, state_at, state_after\n"),
)
_END: Final = "\n)\nSELECT seq FROM fresh"


@cache
def statement(*, letters: bool, deeds: bool) -> str:
    """PostgreSQL's, with the columns of what there is."""
    text = POSTGRES
    if letters:
        for plain, marked in _MARKS:
            text = text.replace(plain, marked)
        text = _and_also(text, _LETTERS, 28)
    return _and_also(text, _DEEDS, 36 if letters else 26) if deeds else text


def _and_also(text: str, part: str, first: int) -> str:
    numbered = re.sub(r"\$\+(\d)", lambda found: f"${first + int(found[1])}", part)
    return text.replace(_END, f"{numbered.rstrip()}{_END}")


class Writer(Protocol):
    """Keeps a batch's rows as one."""

    @property
    def instant(self) -> Callable[[datetime], object]:
        """How the rows have to hold a time."""
        ...

    async def write(self, rows: Rows, epoch: int | None) -> None:
        """
        Return when they're kept, or a batch of this number was before; cancelled: whole or not at all.

        Raise `StoreTaken` when another station has loaded since *epoch*.
        """
        ...


def writer(database: Database) -> Writer:
    """The one for this database."""
    # Not by isinstance: that would import the drivers of both.
    if database.dialect == "sqlite":
        return _Sqlite(cast("SqliteDatabase", database))
    return _Postgres(cast("PostgresDatabase", database))


class _Postgres:
    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        # Batches before it have no deliveries any more. To look below it would be to pass by all that PostgreSQL still
        # has of them, which grows until it vacuums: within a minute of small batches a commit took four times as long.
        self._forgotten = 0

    @property
    def instant(self) -> Callable[[datetime], object]:
        return _as_it_is

    async def write(self, rows: Rows, epoch: int | None) -> None:
        since, self._forgotten = self._forgotten, 0  # after a failure another may answer, which lacks the last commits
        row = await self._database.statement(
            statement(letters=bool(rows.marks), deeds=bool(rows.deeds)),
            rows.number,
            len(rows.lines),
            epoch,
            *_columns(rows.devices, 12),
            *_columns(rows.lines, 7),
            since,
            rows.oldest,
            rows.deliveries,
            *((*_columns(rows.marks, 2), *_columns(rows.letters, 8)) if rows.marks else ()),
            *(_columns(rows.deeds, len(COLUMNS)) if rows.deeds else ()),
        )
        if row is None and epoch is not None:
            found = await self._database.statement(commit_sqlite.EPOCH)
            _check_epoch(found[0], epoch)
        self._forgotten = rows.oldest


class _Sqlite:
    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    @property
    def instant(self) -> Callable[[datetime], object]:
        return microseconds

    async def write(self, rows: Rows, epoch: int | None) -> None:
        found = await self._database.run(lambda connection: commit_sqlite.write(connection, rows, epoch))
        if found is not None and epoch is not None:
            _check_epoch(found, epoch)


def _check_epoch(found: int, mine: int) -> None:
    if found != mine:
        raise StoreTaken("Another station has used this store in the meantime.")


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> Sequence[Sequence[object]]:
    return list(zip(*rows, strict=True)) or [()] * width


def _as_it_is(instant: datetime) -> datetime:
    return instant
