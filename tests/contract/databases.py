"""Where the PostgreSQL databases of tests come from."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import upgrade
from station_adapters.sql.tables import journal, metadata, station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.servers.postgres import Postgres

KEPT_ROWS = {station.name, journal.name}
AS_NEW = f"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP FUNCTION IF EXISTS full_disk(), slow_commit() CASCADE;
UPDATE station SET owner_id = NULL, name = 'Station';
UPDATE journal SET last_batch = 0, last_seq = 0, epoch = 0;
{"".join(f"DELETE FROM {table};" for table in reversed(metadata.sorted_tables) if table.name not in KEPT_ROWS)}
"""


class PostgresDatabases:
    """Databases on one server; those with all tables are used again, for to make one takes longer than most tests."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._spare: list[str] = []

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """The URL of a database without tables."""
        url = await self.server.fresh_database()
        try:
            yield url
        finally:
            await self.server.drop_database(url)

    @asynccontextmanager
    async def as_new(self) -> AsyncIterator[str]:
        """The URL of a database with all tables, and nothing in them but what a migration puts there."""
        url = self._spare.pop() if self._spare else await self._made()
        try:
            yield url
        finally:
            await self.server.execute(AS_NEW, url.rpartition("/")[2])
            self._spare.append(url)

    async def _made(self) -> str:
        url = await self.server.fresh_database()
        database = open_database(url)
        await upgrade(database)
        await database.close()
        return url
