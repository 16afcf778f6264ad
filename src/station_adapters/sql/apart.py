"""
Migrating in a process of its own: `python -m station_adapters.sql.apart`, which the station starts and waits for.

What makes tables takes 5 MB, which a station that migrated by itself would carry along until its next start.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

from station_adapters.sql.child import TablesChild
from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import current, revisions, upgrade
from station_core.errors import StationError

if TYPE_CHECKING:
    from station_adapters.sql.engine import Database

TOLD_WITHIN: Final = 60  # seconds; a database that's away for longer is no reason to hold 40 MB


class UpgradeApart:
    """`migrations.upgrade` of the database at *url* to the newest revision, by a *child* process where that can be."""

    def __init__(self, url: str, child: TablesChild | None = None) -> None:
        self._url = url
        self._child = TablesChild() if child is None else child

    async def __call__(self, database: Database) -> None:
        """
        See `migrations.upgrade`.

        A child that fails has changed nothing: what it couldn't do is tried here, and fails here by its own error. One
        that was begun is gone behind this, whether there was anything to do or not.
        """
        try:
            known = revisions()
            present = await database.run(current)
            if present != known[-1] and present in {None, *known}:
                await self._child.upgrade(self._url)
        finally:
            await self._child.dismiss()
        await upgrade(database)


async def _upgraded(url: str) -> None:
    database = open_database(url)
    try:
        await upgrade(database)
    finally:
        await database.close()


def _end_with_parent() -> None:
    """The end of input is the parent's: a power cut of it alone, and its next run must not find us still at work."""
    while os.read(0, 1):
        pass
    os._exit(1)  # the transaction rolls back


def main() -> None:
    """Bring the database that the input's first line names (see `order`) to the newest revision, all or nothing."""
    import alembic.command  # noqa: F401, PLC0415  # while the parent is at its own imports; there will be something to do

    signal.alarm(TOLD_WITHIN)
    told = sys.stdin.buffer.readline()
    signal.alarm(0)
    if not told:
        sys.exit(1)  # its parent has ended, or needs it no more
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        asyncio.run(_upgraded(json.loads(told)))
    except StationError:
        sys.exit(1)


if __name__ == "__main__":
    main()
