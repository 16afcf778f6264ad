from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from station_adapters.sql.engine import open_database
from station_adapters.sql.lock import store_lock
from station_adapters.sql.migrations import BASE, HEAD, current, named, revisions
from station_adapters.sql.migrations import downgrade as take_back
from station_adapters.sql.migrations import upgrade as bring_up
from station_adapters.system.files import disk_errors
from station_app.cli.output import Json, answer
from station_app.cli.running import alone
from station_app.hold import held, sqlite_file
from station_app.settings import load_settings
from station_app.settings.shown import url_without_password
from station_core.errors import Malformed, StoreNewer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from station_adapters.sql.engine import Database
    from station_app.settings import Settings

DECLINED: Final = 1

app = App(
    name="db",
    help="The tables of the database that the settings name; the station must not run.",
    help_epilogue="Exit codes: 0 done; 1 declined; 64 wrong revision; 65 a newer program made the database, nothing "
    "was touched; 69 it can't be reached; 74 disk full; 75 a station runs; 78 a setting is wrong.",
)


@app.command
def status(*, json: Json = False) -> None:
    """
    Tell at which revision the tables are, and which are to come; changes nothing.

    For example:

    - `station db status`
    - `STATION_DATABASE_URL=postgresql://station:secret@db/station station db status --json`
    """
    with _database(look=True) as (database, settings):
        present = None if _missing(settings) else asyncio.run(_closing(database, lambda: database.read(current)))
    known = revisions()
    newer = present is not None and present not in known
    pending = [] if newer else known[known.index(present) + 1 if present else 0 :]
    state = "newer" if newer else "current" if not pending else "behind" if present else "empty"
    where = url_without_password(settings.database_url.reveal())
    lines = [where, f"is at     {present or BASE}", f"newest is {known[-1]}"]
    if pending:
        lines.append(f"to come   {', '.join(pending)} (`station db upgrade`, or the next start)")
    told = {"database": where, "revision": present, "newest": known[-1], "pending": pending, "state": state}
    answer(told, "\n".join(lines), as_json=json)
    if newer:
        raise StoreNewer(f"The database is newer than this program, which knows no {str(present)[:64]}.")


@app.command
def upgrade(revision: Annotated[str, Parameter(help="Name, number or head.")] = HEAD, /, *, json: Json = False) -> None:
    """
    Bring the tables to a revision, by default the newest; all or nothing, and again is no error.

    For example:

    - `station db upgrade`
    - `station db upgrade 0001`
    """
    target = named(revision)
    with _database() as (database, _):
        before = asyncio.run(_closing(database, lambda: _moved(database, target, bring_up)))
    _tell(before, target, json=json)


@app.command
def downgrade(
    revision: Annotated[str, Parameter(help="Name, number, or base for no tables at all.")],
    /,
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """
    Take the tables back to a revision, for an older program; what that one doesn't know is lost. Asks first.

    For example:

    - `station db downgrade 0001`
    - `station db downgrade base --yes`
    """
    target = named(revision)
    with _database() as (database, settings):
        where = url_without_password(settings.database_url.reveal())
        if not yes and not _agreed(f"{where} goes back to {target}: what came after that is lost."):
            print("Nothing was changed.", file=sys.stderr)
            sys.exit(DECLINED)
        before = asyncio.run(_closing(database, lambda: _moved(database, target, take_back)))
    _tell(before, target, json=json)


@contextmanager
def _database(*, look: bool = False) -> Iterator[tuple[Database, Settings]]:
    """The database of the settings, its folder held (to *look* makes none); raise `StoreTaken` while a station runs."""
    settings = load_settings(os.environ)
    database = open_database(settings.database_url.reveal())
    with disk_errors(settings.data_dir):
        nobody = look and not settings.data_dir.exists()
    with nullcontext() if nobody else held(settings):
        yield database, settings


def _missing(settings: Settings) -> bool:
    """Whether it's an SQLite file that isn't there yet, which a look would make."""
    file = sqlite_file(settings)
    return file is not None and not file.exists()


async def _closing(database: Database, work: Callable[[], Awaitable[str | None]]) -> str | None:
    try:
        return await work()
    finally:
        await database.close()


async def _moved(database: Database, target: str, move: Callable[[Database, str], Awaitable[None]]) -> str | None:
    """Where the tables were before."""
    async with _locked(database):
        before = await database.run(current)
        await move(database, target)
        return before


@asynccontextmanager
async def _locked(database: Database) -> AsyncIterator[None]:
    """The store's own lock, held."""
    lock = store_lock(database)
    await lock.acquire()
    try:
        async with asyncio.TaskGroup() as group:
            held = group.create_task(lock.run())
            yield
            held.cancel()
    except ExceptionGroup as failed:
        raise alone(failed) from None


def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        raise Malformed("Nobody can be asked here: say --yes to take the tables back.")
    print(what, "Go on? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


def _tell(before: str | None, after: str, *, json: bool) -> None:
    told: dict[str, Any] = {"from": before, "to": None if after == BASE else after}
    text = f"The tables were at {after} already." if (before or BASE) == after else f"{before or BASE} → {after}"
    answer(told, text, as_json=json)
