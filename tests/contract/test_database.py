"""What befalls a database, and what its users get to see of it."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import stat
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url, text

from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import upgrade
from station_adapters.sql.postgres import PostgresDatabase
from station_core.errors import SettingInvalid, StoreUnavailable
from tests.contract.told import NOON, added, batch, kept, reports
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.contract.rigs import PostgresStores, SqliteStores, SqlStores


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_a_database_answers_until_it_is_closed(sql_stores: SqlStores) -> None:
    await sql_stores.database.ping()
    await sql_stores.database.close()
    await sql_stores.database.close()
    with pytest.raises(StoreUnavailable):
        await sql_stores.database.ping()
    with pytest.raises(StoreUnavailable):
        await sql_stores.devices.load()
    with pytest.raises(StoreUnavailable):
        await sql_stores.devices.commit(batch(1))


async def test_work_that_raises_leaves_nothing_and_the_next_is_done(sql_stores: SqlStores) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("UPDATE journal SET last_batch = 9"))
        raise LookupError

    with pytest.raises(LookupError):
        await sql_stores.database.run(fail)

    assert (await sql_stores.devices.load()).last_batch == 0


async def test_a_database_knows_how_large_it_is(sql_stores: SqlStores) -> None:
    before = await sql_stores.database.size()
    await sql_stores.database.run(lambda connection: connection.execute(text("CREATE TABLE ballast (weight text)")))
    await sql_stores.database.run(
        lambda connection: connection.execute(text("INSERT INTO ballast VALUES (:w)"), [{"w": "kg" * 1_000}] * 500)
    )

    assert await sql_stores.database.size() > before > 4096


async def test_reading_changes_nothing(sql_stores: SqlStores) -> None:
    def write(connection: Connection) -> None:
        connection.execute(text("UPDATE journal SET last_batch = 9"))

    with pytest.raises(StoreUnavailable, match="read"):
        await sql_stores.database.read(write)

    assert (await sql_stores.devices.load()).last_batch == 0


async def test_a_reader_waits_for_no_writer(sql_stores: SqlStores) -> None:
    lamp = await added(sql_stores.devices)
    loop, written, read = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def write(connection: Connection) -> None:
        connection.execute(text("UPDATE devices SET name = 'Other'"))
        if sql_stores.database.dialect == "sqlite":
            loop.call_soon_threadsafe(written.set)
            asyncio.run_coroutine_threadsafe(read.wait(), loop).result(10)

    writing = asyncio.ensure_future(sql_stores.database.run(write))
    if sql_stores.database.dialect == "sqlite":
        await asyncio.wait_for(written.wait(), 10)
    found = await kept(sql_stores.devices)
    read.set()
    await writing

    assert found.id == lamp.id


async def test_a_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    before = os.umask(0)
    database = open_database(f"sqlite:///{path}")
    try:
        await upgrade(database)
        found = modes(tmp_path)
    finally:
        os.umask(before)
        await database.close()

    assert found == {"new.db": 0o600, "new.db-shm": 0o600, "new.db-wal": 0o600}


async def test_a_file_that_is_none_of_sqlites_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough for a header\n" * 100)
    for path in (tmp_path / "text", tmp_path, tmp_path / "no folder" / "new.db"):
        database = open_database(f"sqlite:///{path}")
        with pytest.raises(SettingInvalid):
            await database.ping()
        await database.close()


async def test_what_sqlite_committed_is_in_the_file_when_it_is_closed(sqlite_stores: SqliteStores) -> None:
    await added(sqlite_stores.devices)
    await sqlite_stores.database.close()
    sqlite_stores.end()
    with sqlite3.connect(sqlite_stores.path) as other:
        journal_mode, names = other.execute("PRAGMA journal_mode").fetchone(), other.execute("SELECT name FROM devices")

        assert (journal_mode, names.fetchall()) == (("wal",), [("Lamp",)])
    other.close()


async def test_what_sqlite_committed_is_on_the_disk(sqlite_stores: SqliteStores) -> None:
    asked = ("journal_mode", "synchronous")
    found = await sqlite_stores.database.run(lambda c: [c.scalar(text(f"PRAGMA {name}")) for name in asked])

    assert found == ["wal", 2]  # FULL: the log is synced by each commit (https://sqlite.org/pragma.html)


async def test_of_postgres_a_synchronous_commit_is_asked_whatever_its_server_is_told() -> None:
    async with Postgres("synchronous_commit=off") as server, AsyncExitStack() as stack:
        database = PostgresDatabase(make_url(await server.fresh_database()))
        stack.push_async_callback(database.close)
        asked = "SHOW synchronous_commit"
        by_the_journal = await database.statement(asked)
        pooled = await database.run(lambda connection: connection.scalar(text(asked)))

    assert (by_the_journal[0], pooled) == ("on", "on")


async def test_who_looks_into_a_sqlite_file_beside_the_station_takes_nothing_of_what_comes(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    database = open_database(f"sqlite:///{path}")
    await upgrade(database)
    await database.ping()  # by now both connections are there, one after the other
    question = "SELECT name FROM zones"
    look = f"import sqlite3; c = sqlite3.connect({str(path)!r}); print(c.execute({question!r}).fetchall()); c.close()"
    before = await printed(look)
    await database.run(
        lambda connection: connection.execute(text("INSERT INTO zones (id, name) VALUES ('z', 'Attic')"))
    )
    after = await printed(look)
    left = modes(tmp_path)
    await database.close()

    assert (before, after) == ("[]", "[('Attic',)]")
    assert "station.db-wal" in left


async def printed(program: str) -> str:
    """What a process of its own says."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out.decode().strip()


async def test_a_server_that_falls_silent_is_unavailable_and_then_available_again(
    postgres_stores: PostgresStores,
) -> None:
    lamp = await added(postgres_stores.devices)
    await postgres_stores.devices.commit(batch(1))
    flows = (postgres_stores.proxy.up, postgres_stores.proxy.down)
    for flow in flows:
        flow.stalled = True
    async with asyncio.timeout(15):
        ends = await asyncio.gather(
            postgres_stores.devices.commit(batch(2, reports(lamp, {"on": True}))),
            postgres_stores.devices.remove(lamp.id, at=NOON),
            postgres_stores.devices.find("lamp"),
            return_exceptions=True,
        )
    for flow in flows:
        flow.stalled = False
    await postgres_stores.devices.commit(batch(2, reports(lamp, {"on": True})))
    present = await kept(postgres_stores.devices)

    assert [type(end) for end in ends] == [StoreUnavailable] * 3
    assert present.state == {"on": True}


async def test_a_host_that_goes_without_a_word_is_found_within_ten_seconds(postgres_stores: PostgresStores) -> None:
    database = open_database(postgres_stores.direct.replace("postgresql:", "postgresql+asyncpg:"))
    assert isinstance(database, PostgresDatabase)
    connection = await database.connect()
    sock = connection._transport.get_extra_info("socket")
    idle, interval, count = (
        sock.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    )
    unanswered = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1_000
    alive = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    await connection.close()
    await database.close()

    assert alive == 1
    assert idle + interval * count < 10
    assert unanswered < 10


async def test_after_a_restart_of_the_server_the_first_attempt_succeeds() -> None:
    async with Postgres("fsync=off") as server:
        database = open_database(await server.fresh_database())
        await upgrade(database)
        await asyncio.gather(*(database.ping() for _ in range(4)))
        await server.restart()
        await asyncio.gather(*(database.ping() for _ in range(4)))
        await server.kill()
        with pytest.raises(StoreUnavailable):
            await database.ping()
        await server.start()
        await database.ping()
        await database.close()


async def test_many_at_once_share_a_few_connections(postgres_stores: PostgresStores) -> None:
    await asyncio.gather(*(postgres_stores.database.ping() for _ in range(100)))

    assert postgres_stores.proxy.accepted <= 4


async def test_callers_that_give_up_leave_no_connection_behind(postgres_stores: PostgresStores) -> None:
    for n in range(30):
        asking = asyncio.ensure_future(
            postgres_stores.database.read(lambda connection: connection.execute(text("SELECT pg_sleep(0.005)")))
        )
        await asyncio.sleep(n * 0.0003)  # any moment will do
        asking.cancel()
        await asyncio.wait([asking])
    await asyncio.gather(*(postgres_stores.database.ping() for _ in range(10)))
    await postgres_stores.database.close()
    async with asyncio.timeout(10):
        while postgres_stores.proxy.open:  # noqa: ASYNC110  # the proxy tells no other way
            await asyncio.sleep(0.01)
