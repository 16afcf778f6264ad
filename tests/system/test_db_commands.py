"""`station db`, as an operator types it, over both databases."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import text

from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import BASE, current, revisions
from tests.system.living import STATION_ID, StationProcess

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.servers.postgres import Postgres

NEWEST = revisions()[-1]


@dataclass
class Operator:
    """Types `station db …` beside a station's data."""

    folder: Path
    url: str

    @property
    def settings(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "STATION_DATA_DIR": str(self.folder / "data"),
            "STATION_ID": STATION_ID,
            "STATION_DATABASE_URL": self.url,
        }

    async def types(self, *words: str, says: bytes = b"") -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STATION_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "station_app", "db", *words),
            env=environment | self.settings,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate(says)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def status(self) -> Any:
        code, out, err = await self.types("status", "--json")
        assert code == 0, err
        return msgspec.json.decode(out)

    async def revision(self) -> str | None:
        """Where the tables really are."""
        database = open_database(self.url)
        try:
            return await database.read(current)
        finally:
            await database.close()

    async def execute(self, sql: str) -> None:
        database = open_database(self.url)
        try:
            await database.run(lambda connection: connection.execute(text(sql)))
        finally:
            await database.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def operator(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> Operator:
    sqlite = request.param == "sqlite"
    return Operator(tmp_path, f"sqlite:///{tmp_path}/data/station.db" if sqlite else await postgres.fresh_database())


async def test_tables_are_looked_at_brought_up_and_taken_back(operator: Operator) -> None:
    empty = await operator.status()
    made_by_looking = (operator.folder / "data").exists()
    up = await operator.types("upgrade")
    again = await operator.types("upgrade")
    newest = await operator.status()
    there = await operator.revision()
    down = await operator.types("downgrade", "base", "--yes", "--json")

    assert (empty["state"], empty["revision"], empty["pending"]) == ("empty", None, revisions())
    assert not made_by_looking
    assert up == (0, f"base → {NEWEST}\n", "")
    assert again == (0, f"The tables were at {NEWEST} already.\n", "")
    assert (newest["state"], newest["revision"], newest["pending"]) == ("current", NEWEST, [])
    assert there == NEWEST
    assert (down[0], msgspec.json.decode(down[1])) == (0, {"from": NEWEST, "to": None})
    assert await operator.revision() is None


async def test_nothing_is_taken_back_unasked(operator: Operator) -> None:
    await operator.types("upgrade")

    unsaid = await operator.types("downgrade")
    unasked = await operator.types("downgrade", BASE, says=b"yes\n")
    unknown = await operator.types("downgrade", "9999", "--yes")

    assert [code for code, _, _ in (unsaid, unasked, unknown)] == [64, 64, 64]
    assert unasked[2] == "station: Nobody can be asked here: say --yes to take the tables back.\n"
    assert unknown[2].startswith("station: This program knows no revision 9999, only base, 0001_first")
    assert await operator.revision() == NEWEST


async def test_a_newer_programs_database_is_left_alone_by_everything(operator: Operator) -> None:
    await operator.types("upgrade")
    await operator.execute("UPDATE alembic_version SET version_num = '9999_future'")

    ends = [await operator.types(*words) for words in (("status",), ("upgrade",), ("downgrade", "base", "--yes"))]
    station = StationProcess(operator.folder, operator.settings)
    await station.start(healthy=False)
    assert station.process is not None
    async with asyncio.timeout(30):
        started = await station.process.wait()

    assert [code for code, _, _ in ends] == [65, 65, 65]
    assert all(err.startswith("station: The database is newer than this program") for _, _, err in ends)
    assert started == 65
    assert "Traceback" not in station.log()
    assert station.log().splitlines()[-1].startswith("station: The database is newer than this program")
    assert await operator.revision() == "9999_future"


async def test_a_running_station_keeps_its_tables(operator: Operator) -> None:
    station = StationProcess(operator.folder, operator.settings)
    await station.start()
    try:
        ends = [await operator.types(*words) for words in (("status",), ("upgrade",), ("downgrade", "base", "--yes"))]
    finally:
        await station.stop()

    sentence = f"station: Another station (process {station.pid}) uses {operator.folder}/data.\n"
    assert ends == [(75, "", sentence)] * 3
    assert await operator.revision() == NEWEST


async def test_a_station_elsewhere_on_the_same_postgresql_keeps_its_tables(tmp_path: Path, postgres: Postgres) -> None:
    (tmp_path / "else").mkdir()
    operator = Operator(tmp_path / "else", await postgres.fresh_database())
    station = StationProcess(tmp_path, {"STATION_DATABASE_URL": operator.url})
    await station.start()
    try:
        looked = await operator.status()
        code, _, err = await operator.types("downgrade", "base", "--yes")
    finally:
        await station.stop()

    assert looked["state"] == "current"
    assert (code, err) == (75, "station: Another station uses this database.\n")
    assert await operator.revision() == NEWEST


async def test_a_database_that_is_away_is_said_without_its_password(tmp_path: Path) -> None:
    operator = Operator(tmp_path, "postgresql+asyncpg://station:canary@127.0.0.1:1/station")

    ends = [await operator.types(*words) for words in (("status",), ("upgrade",))]

    assert [code for code, _, _ in ends] == [69, 69]
    assert all(err.startswith("station: The database can't be reached") for _, _, err in ends)
    assert "canary" not in str(ends)
