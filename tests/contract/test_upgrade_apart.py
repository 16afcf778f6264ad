"""The tables are made by a child process, on both databases; whatever befalls it, they are made or untouched."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import text

from station_adapters.sql.apart import UpgradeApart
from station_adapters.sql.child import CHILD, TablesChild, order
from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import current, revisions, upgrade
from station_core.errors import StoreNewer, StoreUnavailable
from tests.contract.http_rig import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from station_adapters.sql.engine import Database
    from tests.contract.databases import PostgresDatabases

WAITED: Final = 20.0  # seconds for what takes one


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path, databases: PostgresDatabases) -> AsyncIterator[str]:
    """Of a database without any tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/station.db"
    else:
        async with databases.empty() as there:
            yield there


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = open_database(url)
    yield opened
    await opened.close()


class Child:
    """A child that writes its pid down, and then does what the real one does, or something else."""

    def __init__(self, folder: Path, does: str = "main()") -> None:
        self._script = folder / "child.py"
        self._pid = folder / "child.pid"
        self._script.write_text(
            "import os, sys, time\nfrom pathlib import Path\nfrom station_adapters.sql.apart import main\n"
            f"Path({str(self._pid)!r}).write_text(str(os.getpid()))\n{does}\n"
        )
        self.command = (sys.executable, str(self._script))

    @property
    def started(self) -> bool:
        return self._pid.exists() and bool(self._pid.read_text())

    @property
    def pid(self) -> int:
        return int(self._pid.read_text())

    @property
    def ended(self) -> bool:
        return self.started and not _runs(self.pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_child_makes_the_tables_and_is_gone(url: str, database: Database, tmp_path: Path) -> None:
    child = Child(tmp_path)

    await UpgradeApart(url, TablesChild(child.command))(database)

    assert child.ended
    assert await database.read(current) == revisions()[-1]


async def test_a_child_that_was_begun_before_is_the_one_that_makes_the_tables(
    url: str, database: Database, tmp_path: Path
) -> None:
    script = Child(tmp_path)
    child = TablesChild(script.command)
    child.begin()
    await until(lambda: script.started)
    begun = script.pid

    await UpgradeApart(url, child)(database)

    assert script.pid == begun
    assert script.ended
    assert await database.read(current) == revisions()[-1]


async def test_a_child_that_was_begun_for_nothing_goes(url: str, database: Database, tmp_path: Path) -> None:
    await upgrade(database)
    script = Child(tmp_path)
    child = TablesChild(script.command)
    child.begin()
    await until(lambda: script.started)

    await UpgradeApart(url, child)(database)

    assert script.ended


async def test_a_child_that_was_begun_does_not_wait_for_a_database_that_is_away(tmp_path: Path) -> None:
    script = Child(tmp_path)
    child = TablesChild(script.command)
    child.begin()
    await until(lambda: script.started)
    url = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    database = open_database(url)

    with pytest.raises(StoreUnavailable):
        await UpgradeApart(url, child)(database)
    await database.close()

    assert script.ended


async def test_a_child_that_is_told_nothing_any_more_ends_by_itself() -> None:
    async with asyncio.timeout(WAITED):
        child = await asyncio.create_subprocess_exec(*CHILD, stdin=asyncio.subprocess.PIPE)
        assert child.stdin is not None
        child.stdin.close()

        assert await child.wait() == 1


async def test_what_the_child_is_told_to_do_it_does_alone(url: str, database: Database) -> None:
    ended = await asyncio.to_thread(_by_hand, url)

    assert ended.returncode == 0, ended.stderr
    assert await database.read(current) == revisions()[-1]


def _by_hand(url: str) -> subprocess.CompletedProcess[bytes]:
    with subprocess.Popen(CHILD, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(order(url))
        process.stdin.flush()
        said = process.stderr.read()
        return subprocess.CompletedProcess(CHILD, process.wait(WAITED), b"", said)


@pytest.mark.parametrize("name", ["a home.db ", "a\nhome.db", "Überall.db", "caf\udce9.db"], ids=ascii)
async def test_a_file_of_any_name_is_the_one_that_the_child_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    url = f"sqlite:///{folder}/{name}"
    database = open_database(url)

    await UpgradeApart(url)(database)
    await database.close()

    assert [path.name for path in folder.iterdir()] == [name]


async def test_the_folder_that_a_station_is_started_in_gives_its_child_no_code(
    url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap, sprung = tmp_path / "asyncio.py", tmp_path / "sprung"
    trap.write_text(f"open({str(sprung)!r}, 'w')")
    monkeypatch.chdir(tmp_path)

    await UpgradeApart(url)(database)

    assert not sprung.exists()


async def test_tables_that_are_there_need_no_child(url: str, database: Database, tmp_path: Path) -> None:
    await upgrade(database)
    child = Child(tmp_path)

    await UpgradeApart(url, TablesChild(child.command))(database)

    assert not child.started


@pytest.mark.parametrize("does", ["sys.exit(1)", "os.kill(os.getpid(), 9)", "sys.stdin.close(); sys.exit(0)"])
async def test_a_child_that_fails_is_made_up_for(url: str, database: Database, tmp_path: Path, does: str) -> None:
    child = Child(tmp_path, does)

    await UpgradeApart(url, TablesChild(child.command))(database)

    assert child.started
    assert await database.read(current) == revisions()[-1]


async def test_a_child_that_cannot_be_started_is_made_up_for(url: str, database: Database, tmp_path: Path) -> None:
    await UpgradeApart(url, TablesChild([str(tmp_path / "none")]))(database)

    assert await database.read(current) == revisions()[-1]


async def test_tables_of_a_newer_program_are_touched_by_nobody(url: str, database: Database, tmp_path: Path) -> None:
    await upgrade(database)
    newer = text("UPDATE alembic_version SET version_num = '9999_later'")
    await database.run(lambda connection: connection.execute(newer))
    child = Child(tmp_path)

    with pytest.raises(StoreNewer):
        await UpgradeApart(url, TablesChild(child.command))(database)

    assert not child.started


async def test_a_start_that_is_given_up_leaves_no_child_and_no_tables(
    url: str, database: Database, tmp_path: Path
) -> None:
    child = Child(tmp_path, "time.sleep(600)")
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(UpgradeApart(url, TablesChild(child.command))(database))
        await until(lambda: child.started)
        starting.cancel()

    assert starting.cancelled()
    assert child.ended
    assert await database.read(current) is None


async def test_the_child_of_a_station_that_is_killed_ends_in_the_middle_of_its_work() -> None:
    """A killed process's pipes are closed, whatever else it left undone."""
    busy = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        busy.set()
        await reader.read()
        writer.close()

    async with asyncio.timeout(WAITED), await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        child = await asyncio.create_subprocess_exec(*CHILD, stdin=asyncio.subprocess.PIPE)
        assert child.stdin is not None
        child.stdin.write(order(f"postgresql+asyncpg://nobody@127.0.0.1:{port}/none"))
        await busy.wait()
        assert child.returncode is None

        child.stdin.close()

        assert await child.wait() == 1
