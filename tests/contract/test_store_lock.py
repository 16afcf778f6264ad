"""One writer: who holds the lock of a database may write (decision 2)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import asyncpg
import pytest

from station_adapters.memory.clock import MemoryRandomness
from station_adapters.sql.devices import SqlDeviceStore
from station_adapters.sql.engine import open_database
from station_adapters.sql.lock import AdvisoryLock, store_lock
from station_core.errors import SettingInvalid, StoreFull, StoreTaken, StoreUnavailable
from tests.contract.told import NOON, added, batch, kept, reports, tells

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_adapters.sql.engine import Database
    from station_adapters.sql.lock import StoreLock
    from station_adapters.sql.postgres import PostgresDatabase
    from tests.contract.rigs import PostgresStores, SqliteStores, SqlStores

NO_SESSIONS = """
CREATE FUNCTION no_room() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not write init file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE EVENT TRIGGER no_room ON login EXECUTE FUNCTION no_room();
"""


class Held:
    """What a lock told."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self._news = asyncio.Event()

    def __call__(self, held: bool) -> None:  # noqa: FBT001  # as the lock calls it
        self.told.append(held)
        self._news.set()

    async def until(self, *told: bool) -> None:
        async with asyncio.timeout(10):
            while self.told != list(told):
                self._news.clear()
                await self._news.wait()


def lock_of(database: Database, held: Held | None = None, wait: float = 0.2) -> AdvisoryLock:
    return AdvisoryLock(cast("PostgresDatabase", database), held or Held(), wait=wait, wait_again=wait)


@asynccontextmanager
async def running(lock: StoreLock) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(lock.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def no_sessions(stores: PostgresStores) -> AsyncIterator[None]:
    """As a server that came back to a full disk: it answers, but begins no session."""
    connection = await asyncpg.connect(stores.direct)
    try:
        await connection.execute(NO_SESSIONS)
        try:
            yield
        finally:
            await connection.execute("DROP FUNCTION no_room() CASCADE")
    finally:
        await connection.close()


@pytest.fixture
async def other(postgres_stores: PostgresStores) -> AsyncIterator[Database]:
    """Another station's way to the same database, past the proxy."""
    database = open_database(postgres_stores.direct.replace("postgresql:", "postgresql+asyncpg:"))
    yield database
    await database.close()


async def test_a_second_station_doesnt_get_the_lock(postgres_stores: PostgresStores, other: Database) -> None:
    first = lock_of(postgres_stores.database)
    await first.acquire()
    await first.acquire()
    async with running(first):
        with pytest.raises(StoreTaken):
            await lock_of(other).acquire()


async def test_a_lock_that_is_given_back_goes_to_who_waits_for_it(
    postgres_stores: PostgresStores, other: Database
) -> None:
    first, second = lock_of(postgres_stores.database), lock_of(other, wait=5)
    await first.acquire()
    async with running(first):
        waiting = asyncio.ensure_future(second.acquire())
        await asyncio.wait([waiting], timeout=0.1)
        waited = not waiting.done()
    await waiting
    async with running(second):
        with pytest.raises(StoreTaken):
            await lock_of(postgres_stores.database).acquire()

    assert waited


async def test_a_lost_lock_stops_all_writing_until_it_is_held_again(postgres_stores: PostgresStores) -> None:
    held = Held()
    lock = lock_of(postgres_stores.database, held)
    lamp = await added(postgres_stores.devices)
    async with running(lock) as task:
        await held.until(True)
        await postgres_stores.cut()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(task, 10)
    await postgres_stores.mend()
    with pytest.raises(StoreUnavailable):
        await postgres_stores.devices.commit(batch(1, reports(lamp, {"on": True})))
    with pytest.raises(StoreUnavailable):
        await postgres_stores.devices.remove(lamp.id, at=NOON)
    untouched = await kept(postgres_stores.devices)
    async with running(lock):
        await held.until(True, False, True)
        await postgres_stores.devices.commit(batch(1, reports(lamp, {"on": True})))

    assert untouched == lamp
    assert (await kept(postgres_stores.devices)).state == {"on": True}


async def test_a_disk_that_has_no_room_for_the_locks_session_is_full_to_all_writing(
    postgres_stores: PostgresStores,
) -> None:
    lock = lock_of(postgres_stores.database)
    lamp = await added(postgres_stores.devices)
    async with running(lock) as task:
        await lock.acquire()
        await postgres_stores.cut()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(task, 10)
    async with no_sessions(postgres_stores):
        await postgres_stores.mend()
        with pytest.raises(StoreFull):
            await asyncio.wait_for(lock.run(), 10)
        with pytest.raises(StoreFull):
            await postgres_stores.devices.commit(batch(1, reports(lamp, {"on": True})))
        with pytest.raises(StoreFull):
            await postgres_stores.devices.remove(lamp.id, at=NOON)
        await postgres_stores.cut()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(lock.run(), 10)
        with pytest.raises(StoreUnavailable):
            await postgres_stores.devices.remove(lamp.id, at=NOON)
    await postgres_stores.mend()
    async with running(lock):
        await lock.acquire()
        await postgres_stores.devices.commit(batch(1, reports(lamp, {"on": True})))

    assert (await kept(postgres_stores.devices)).state == {"on": True}


async def test_a_lock_that_another_station_took_meanwhile_is_lost_for_good(
    postgres_stores: PostgresStores, other: Database
) -> None:
    held = Held()
    mine = lock_of(postgres_stores.database, held)
    async with running(mine) as task:
        await held.until(True)
        await postgres_stores.cut()
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(task, 10)
    theirs = lock_of(other, wait=5)
    await theirs.acquire()
    async with running(theirs):
        await postgres_stores.mend()
        with pytest.raises(StoreTaken):
            await asyncio.wait_for(mine.run(), 10)

    assert held.told == [True, False]
    assert not postgres_stores.database.held


async def test_a_server_that_falls_silent_is_a_lost_lock(postgres_stores: PostgresStores) -> None:
    held = Held()
    async with running(lock_of(postgres_stores.database, held)) as task:
        await held.until(True)
        postgres_stores.proxy.up.stalled = postgres_stores.proxy.down.stalled = True
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(task, 10)

    assert held.told == [True, False]


async def test_a_lock_that_nobody_watches_yet_is_looked_at_when_it_is_asked_for_again(
    postgres_stores: PostgresStores,
) -> None:
    held = Held()
    lock = lock_of(postgres_stores.database, held)
    await lock.acquire()
    await lock.acquire()
    postgres_stores.proxy.up.stalled = postgres_stores.proxy.down.stalled = True
    with pytest.raises(StoreUnavailable):
        await lock.acquire()

    assert held.told == [True, False]
    assert not postgres_stores.database.held


async def test_without_a_server_there_is_no_lock_and_with_it_again_there_is(postgres_stores: PostgresStores) -> None:
    lock = lock_of(postgres_stores.database)
    await postgres_stores.cut()
    with pytest.raises(StoreUnavailable):
        await lock.acquire()
    await postgres_stores.mend()
    async with running(lock):
        await lock.acquire()


async def test_a_server_that_refuses_the_station_for_good_is_a_wrong_setting(postgres_stores: PostgresStores) -> None:
    database = open_database(postgres_stores.url.rpartition("/")[0] + "/no_such_database")
    try:
        with pytest.raises(SettingInvalid):
            await lock_of(database).acquire()
    finally:
        await database.close()


async def test_a_station_that_was_cut_off_keeps_nothing_once_another_has_loaded(sql_stores: SqlStores) -> None:
    lamp = await added(sql_stores.devices)
    await sql_stores.devices.load()
    await sql_stores.devices.commit(batch(1, tells(lamp, {})))
    later = SqlDeviceStore(sql_stores.database, MemoryRandomness(seed=1))
    await later.load()
    with pytest.raises(StoreTaken):
        await sql_stores.devices.commit(batch(2, reports(lamp, {"on": True}), deliveries=[(1, 1)]))
    await later.commit(batch(2, tells(lamp, {})))

    assert (await kept(later)).state == {}
    assert len((await later.activities()).items) == 2


async def test_sqlite_leaves_the_lock_to_the_data_folder(sqlite_stores: SqliteStores) -> None:
    held = Held()
    first, second = store_lock(sqlite_stores.database, held), store_lock(sqlite_stores.database)
    await first.acquire()
    await second.acquire()
    async with running(first), running(second):
        await held.until(True)

    assert sqlite_stores.database.held
