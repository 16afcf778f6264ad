from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.contract import rigs
from tests.contract.databases import PostgresDatabases
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.contract.rigs import PostgresStores, SqliteStores, SqlStores, StoreRig


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    """One server for all tests, each with a database of its own; what it keeps needn't survive a power cut."""
    async with Postgres("fsync=off") as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(postgres: Postgres) -> PostgresDatabases:
    """Where each test's database comes from."""
    return PostgresDatabases(postgres)


@pytest.fixture(params=[rigs.memory, rigs.sqlite, rigs.postgres], ids=lambda rig: str(rig.__name__))
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path, databases: PostgresDatabases
) -> AsyncIterator[StoreRig]:
    """Every store in turn."""
    async with request.param(tmp_path, databases) as stores:
        yield stores


@pytest.fixture(params=[rigs.sqlite, rigs.postgres], ids=lambda rig: str(rig.__name__))
async def sql_stores(
    request: pytest.FixtureRequest, tmp_path: Path, databases: PostgresDatabases
) -> AsyncIterator[SqlStores]:
    """Both databases in turn."""
    async with request.param(tmp_path, databases) as stores:
        yield stores


@pytest.fixture
async def sqlite_stores(tmp_path: Path, databases: PostgresDatabases) -> AsyncIterator[SqliteStores]:
    async with rigs.sqlite(tmp_path, databases) as stores:
        yield stores


@pytest.fixture
async def postgres_stores(tmp_path: Path, databases: PostgresDatabases) -> AsyncIterator[PostgresStores]:
    async with rigs.postgres(tmp_path, databases) as stores:
        yield stores
