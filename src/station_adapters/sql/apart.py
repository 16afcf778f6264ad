"""
Migrating in a process of its own: `python -m station_adapters.sql.apart`, which the station starts and waits for.

What makes tables takes 5 MB, which a station that migrated by itself would carry along until its next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Final

from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import current, revisions, upgrade
from station_core.errors import StationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_adapters.sql.engine import Database

# -P: whoever may write to the folder that the station was started in doesn't tell what it imports.
CHILD: Final = (sys.executable, "-P", "-m", "station_adapters.sql.apart")


class UpgradeApart:
    """`migrations.upgrade` of the database at *url* to the newest revision, by a child process where that can be."""

    def __init__(self, url: str, *, child: Sequence[str] = CHILD) -> None:
        self._url = url
        self._child = tuple(child)

    async def __call__(self, database: Database) -> None:
        """
        See `migrations.upgrade`.

        A child that fails has changed nothing: what it couldn't do is tried here, and fails here by its own error.
        """
        known = revisions()
        present = await database.run(current)
        if present != known[-1] and present in {None, *known}:
            await self._by_child()
        await upgrade(database)

    async def _by_child(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._child,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the station, which ends the child in its turn
            )
        except OSError:
            return
        assert process.stdin is not None
        try:
            process.stdin.write(order(self._url))  # not in its arguments, which everybody may read
            await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def order(url: str) -> bytes:
    """What the child reads: the database's URL, whatever a folder's name has in it and whatever the locale is."""
    return json.dumps(url).encode() + b"\n"


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
    url = json.loads(sys.stdin.buffer.readline() or '""')  # nothing: its parent has ended already
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        asyncio.run(_upgraded(url))
    except StationError:
        sys.exit(1)


if __name__ == "__main__":
    main()
