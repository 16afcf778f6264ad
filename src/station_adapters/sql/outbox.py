from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import and_, delete, func, insert, or_, select, tuple_, update

from station_adapters.sql.mail import LETTER_COLUMNS, letter_row
from station_adapters.sql.tables import devices, journal, outbox, station_settings
from station_core.cloud.channels import EVERY_CHANNEL, EventChannel
from station_core.cloud.letters import Letter, Rank, Waiting, state_id, state_letter
from station_core.cloud.outbox import Held, falling, first_to_fall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, RowMapping

    from station_adapters.sql.engine import Database
    from station_core.cloud.outbox import Bounds

T = TypeVar("T")

CHANNELS: Final = "cloud_channels"  # on record while a cloud has claimed the station


class SqlOutbox:
    """
    An `Outbox` in PostgreSQL or SQLite, filled by the `SqlDeviceStore` of the same database.

    A letter is a row. A state is none: its device's row has the state already, and marks that the cloud lacks it; so
    reports, thousands a second, cost no row each.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._active: frozenset[EventChannel] = frozenset()
        self._grown = True

    @property
    def active(self) -> frozenset[EventChannel]:
        """See `Outbox`."""
        return self._active

    async def load(self) -> None:
        """See `Outbox`."""

        def load(connection: Connection) -> frozenset[EventChannel]:
            kept = _on_record(connection)
            if kept is None:
                wipe(connection)
            return kept or frozenset()

        self._active = await self._database.run(load)
        self._grown = True

    async def activate(self, channels: frozenset[EventChannel]) -> None:
        """See `Outbox`."""
        before = self._active

        def activate(connection: Connection) -> bool:
            if _on_record(connection, lock=True) is None:
                return False
            _drop(connection, EVERY_CHANNEL - (before & channels))
            kept = json.dumps(sorted(channels))
            connection.execute(update(station_settings).where(station_settings.c.key == CHANNELS).values(value=kept))
            return True

        self._active = channels
        claimed = False
        try:
            claimed = await self._database.run(activate)
        finally:
            if not claimed and self._active is channels:
                self._active = before

    async def head(self) -> int:
        """See `Outbox`."""
        return int(await self._database.read(lambda connection: connection.scalar(select(journal.c.last_seq)) or 0))

    async def waiting(self, *, after: tuple[int, str], limit: int, states: bool = True) -> Sequence[Waiting]:
        """See `Outbox`."""
        active = self._active
        seq, device_id = after
        rows = select(outbox).where(outbox.c.seq > seq, _of(active)).order_by(outbox.c.seq).limit(limit)
        marked = devices.c.unsent_state_seq
        past = or_(marked > seq, and_(marked == seq, devices.c.id > device_id)) if device_id else marked >= seq
        marks = select(devices.c.id, devices.c.last_known_state, devices.c.unsent_state_at, marked)
        marks = marks.where(past).order_by(marked, devices.c.id).limit(limit)

        def read(connection: Connection) -> list[Waiting]:
            found = [_letter_in(row) for row in connection.execute(rows).mappings()]
            if states and EventChannel.STATE in active:
                found += [_state_in(row) for row in connection.execute(marks).mappings()]
            return sorted(found, key=lambda one: one.place)[:limit]

        return await self._database.read(read)

    async def delivered(self, letters: Sequence[Waiting]) -> None:
        """See `Outbox`."""
        seqs = [one.seq for one in letters if one.device_id is None]
        states = [(one.device_id, one.letter.written_at) for one in letters if one.device_id is not None]

        def delivered(connection: Connection) -> None:
            if seqs:
                connection.execute(delete(outbox).where(outbox.c.seq.in_(seqs)))
            if states:
                same = tuple_(devices.c.id, devices.c.unsent_state_at).in_(states)
                connection.execute(update(devices).where(same).values(unsent_state_at=None, unsent_state_seq=None))

        if letters:
            await self._database.run(delivered)

    async def cut(self, bounds: Bounds, *, limit: int) -> Mapping[Rank, int]:
        """See `Outbox`."""
        if not self._grown:
            return {}
        self._grown = False
        sums = select(outbox.c.rank, func.count(), func.sum(outbox.c.size)).group_by(outbox.c.rank)
        held = await self._database.read(
            lambda connection: {
                Rank(rank): Held(letters=count, bytes=int(size)) for rank, count, size in connection.execute(sums)
            }
        )
        fallen = first_to_fall(held, bounds)
        if fallen is None:
            return {}
        self._grown = True
        rank, least = fallen
        eldest = select(outbox.c.seq, outbox.c.size).where(outbox.c.rank == rank).order_by(outbox.c.seq).limit(limit)

        def cut(connection: Connection) -> int:
            seqs = falling([(row.seq, row.size) for row in connection.execute(eldest)], least)
            connection.execute(delete(outbox).where(outbox.c.seq.in_(seqs)))
            return len(seqs)

        return {rank: await self._database.run(cut)}

    async def oldest(self) -> datetime | None:
        """See `Outbox`."""
        active = self._active

        def oldest(connection: Connection) -> datetime | None:
            # The order of happening, which no clock is trusted with: the whole table needn't be looked at.
            first = select(outbox.c.written_at).where(_of(active)).order_by(outbox.c.seq).limit(1)
            dates = [connection.scalar(first)]
            if EventChannel.STATE in active:
                dates.append(connection.scalar(select(func.min(devices.c.unsent_state_at))))
            return min((date for date in dates if date is not None), default=None)

        return await self._database.read(oldest)

    async def claimed(self, work: Callable[[Connection], T], then: Callable[[Connection], None]) -> T:
        """
        Do the work by which a cloud claims the station; all channels are active then, and nothing waits.

        But for what it has to hear from the start: *then* puts that in.
        """

        def claimed(connection: Connection) -> T:
            _lock(connection)
            result = work(connection)
            wipe(connection)
            connection.execute(insert(station_settings).values(key=CHANNELS, value=json.dumps(sorted(EVERY_CHANNEL))))
            then(connection)
            return result

        result = await self._database.run(claimed)
        self._active = EVERY_CHANNEL
        self.grew()
        return result

    async def let_go(self, work: Callable[[Connection], T]) -> T:
        """Do the work by which it's let go; nothing waits then."""

        def let_go(connection: Connection) -> T:
            result = work(connection)
            wipe(connection)
            return result

        before, self._active = self._active, frozenset()
        try:
            return await self._database.run(let_go)
        except BaseException:
            self._active = before
            raise

    def grew(self) -> None:
        """Letters were put in."""
        self._grown = True


def wipe(connection: Connection) -> None:
    """Nothing waits, nothing will."""
    connection.execute(delete(station_settings).where(station_settings.c.key == CHANNELS))
    connection.execute(delete(outbox))
    _drop(connection, {EventChannel.STATE})


def post(connection: Connection, told: Letter, event_id: str) -> None:
    """
    Keep a letter with the change that the transaction makes; first thing in it.

    For the journal's row, which gives the letter its place, is what a batch of the journal locks first.
    """
    next_seq = update(journal).values(last_seq=journal.c.last_seq + 1).returning(journal.c.last_seq)
    row = letter_row(told, event_id, lambda at: at)
    seq = connection.execute(next_seq).scalar_one()
    named = dict(zip(LETTER_COLUMNS, (seq, *row), strict=True))
    connection.execute(insert(outbox).values(**{**named, "params": told.params}))


def post_if_claimed(connection: Connection, told: Letter, event_id: str) -> None:
    """Keep a letter as `post` does, whatever channels are active, if a cloud has claimed the station."""
    _lock(connection)
    if _on_record(connection, lock=True) is not None:
        post(connection, told, event_id)


def withdraw(connection: Connection, event_id: str) -> None:
    """What hasn't gone up yet needn't any more."""
    connection.execute(delete(outbox).where(outbox.c.id == event_id))


def _lock(connection: Connection) -> None:
    """As `post` does before all else."""
    connection.execute(update(journal).values(last_seq=journal.c.last_seq))


def _on_record(connection: Connection, *, lock: bool = False) -> frozenset[EventChannel] | None:
    wanted = select(station_settings.c.value).where(station_settings.c.key == CHANNELS)
    kept = connection.scalar(wanted.with_for_update() if lock else wanted)
    return None if kept is None else frozenset(map(EventChannel, json.loads(kept)))


def _drop(connection: Connection, channels: Iterable[EventChannel]) -> None:
    connection.execute(delete(outbox).where(outbox.c.channel.in_(sorted(channels))))
    if EventChannel.STATE in channels:
        marked = devices.c.unsent_state_seq.is_not(None)
        connection.execute(update(devices).where(marked).values(unsent_state_at=None, unsent_state_seq=None))


def _of(active: frozenset[EventChannel]) -> Any:
    return or_(outbox.c.channel.is_(None), outbox.c.channel.in_(sorted(active)))


def _letter_in(row: RowMapping) -> Waiting:
    channel = None if row["channel"] is None else EventChannel(row["channel"])
    told = Letter(method=row["method"], channel=channel, params=row["params"], written_at=row["written_at"])
    return Waiting(seq=row["seq"], event_id=row["id"], letter=told)


def _state_in(row: RowMapping) -> Waiting:
    device_id, state, at = row["id"], row["last_known_state"], row["unsent_state_at"]
    return Waiting(
        seq=row["unsent_state_seq"],
        event_id=state_id(device_id, state, at),
        letter=state_letter(device_id, state, at),
        device_id=device_id,
    )
