from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    """One server for all tests, each with a database of its own."""
    async with Postgres() as server:
        yield server
