"""The tables: made, taken back, the same as `tables.py` says, on both databases."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import current, downgrade, revisions, upgrade
from station_adapters.sql.tables import metadata
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database
    from tests.contract.databases import PostgresDatabases


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def empty(
    request: pytest.FixtureRequest, tmp_path: Path, databases: PostgresDatabases
) -> AsyncIterator[Database]:
    """A database without any tables."""
    if request.param == "sqlite":
        async with opened(f"sqlite:///{tmp_path}/station.db") as database:
            yield database
    else:
        async with databases.empty() as url, opened(url) as database:
            yield database


def shape(connection: Connection) -> dict[str, object]:
    """The tables with their columns, keys and indexes."""
    seen = inspect(connection)
    return {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in seen.get_columns(table)],
            seen.get_pk_constraint(table),
            seen.get_foreign_keys(table),
            sorted(map(str, seen.get_indexes(table))),
            sorted(map(str, seen.get_unique_constraints(table))),
            sorted(map(str, seen.get_check_constraints(table))),
        )
        for table in seen.get_table_names()
    }


async def test_each_revision_goes_up_and_down_and_up_again(empty: Database) -> None:
    for before, revision in zip(["base", *revisions()], revisions(), strict=False):
        await upgrade(empty, revision)
        first = await empty.read(shape)
        await downgrade(empty, before)
        below = await empty.read(current)
        await upgrade(empty, revision)

        assert below == (None if before == "base" else before)
        assert await empty.read(shape) == first
        assert await empty.read(current) == revision


async def test_downgraded_to_the_base_nothing_is_left(empty: Database) -> None:
    await upgrade(empty)
    await downgrade(empty, "base")

    assert set(await empty.read(shape)) == {"alembic_version"}


async def test_the_migrations_make_the_tables_that_the_code_knows(empty: Database) -> None:
    await upgrade(empty)
    differences = await empty.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
    )

    assert differences == []


async def test_an_upgrade_of_what_is_new_already_changes_nothing(empty: Database) -> None:
    await upgrade(empty)
    await empty.run(lambda connection: connection.execute(text("UPDATE journal SET last_batch = 7")))
    await upgrade(empty)

    assert await empty.read(lambda c: c.execute(text("SELECT last_batch FROM journal")).scalar_one()) == 7


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(empty: Database) -> None:
    await upgrade(empty)
    await empty.run(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999_from_the_future'")))
    before = await empty.read(shape)
    with pytest.raises(SettingInvalid):
        await upgrade(empty)
    with pytest.raises(SettingInvalid):
        await downgrade(empty, "base")

    assert await empty.read(shape) == before
    assert await empty.read(current) == "9999_from_the_future"


async def test_a_migration_that_fails_half_way_leaves_nothing(empty: Database) -> None:
    await empty.run(lambda connection: connection.execute(text("CREATE TABLE devices (in_the_way integer)")))
    before = await empty.read(shape)
    with pytest.raises(Exception, match="devices"):
        await upgrade(empty)

    assert await empty.read(shape) == before


def test_revisions_are_named_and_one_follows_the_other() -> None:
    numbers = [int(revision.partition("_")[0]) for revision in revisions()]

    assert numbers == list(range(1, len(numbers) + 1))
