from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import URL, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from station_adapters.sql.content import from_json, to_json
from station_adapters.sql.engine import Database
from station_adapters.sql.errors import sqlite_code
from station_core.errors import SettingInvalid, StoreFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

T = TypeVar("T")

BUSY_FOR: Final = 4.0  # seconds that another process may hold the file before the database counts as away
MAYBE_FULL: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
ROOM: Final = 256 * 1024  # bytes; with less the disk counts as full
UNUSABLE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM})
PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # NORMAL loses the last commits in a power cut (decision 2)
    "foreign_keys=ON",
    "trusted_schema=OFF",
)


WRITING_CACHE: Final = 1_024  # KiB of pages; SQLite's own 2,000 take a quiet house's file an hour to fill
READING_CACHE: Final = 256  # KiB; what was read lately is in the system's own cache


class SqliteDatabase(Database):
    """One file; all writing in one thread, all reading in another, each with a connection of its own."""

    dialect = "sqlite"

    def __init__(self, url: URL) -> None:
        if url.database is None or not Path(url.database).is_absolute() or url.host or url.username:
            raise SettingInvalid("SQLite's URL is sqlite:// and an absolute path: sqlite:////var/lib/station/db")
        if unknown := sorted(set(url.query) - {"timeout"}):
            raise SettingInvalid(f"SQLite's URL knows no option {unknown[0][:32]}.")
        self._path = Path(url.database)
        busy_for = _seconds(url.query.get("timeout", str(BUSY_FOR)))
        alone = threading.Lock()
        self._writing = _Lane(self._path, "BEGIN IMMEDIATE", busy_for, (f"cache_size=-{WRITING_CACHE}",), alone)
        self._reading = _Lane(self._path, "BEGIN", busy_for, ("query_only=ON", f"cache_size=-{READING_CACHE}"), alone)

    def __repr__(self) -> str:
        return f"SqliteDatabase({str(self._path)!r})"

    async def _close(self) -> None:
        await self._reading.close()
        await self._writing.close()  # the last to close brings the write-ahead log home

    async def _run(self, work: Callable[[Connection], T], within: float | None) -> T:  # noqa: ARG002  # busy_timeout
        return await self._writing.run(work)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._reading.run(work)


class _Lane:
    """A thread with a connection; what it's given is done one after another."""

    def __init__(
        self, path: Path, begin: str, busy_for: float, pragmas: tuple[str, ...], alone: threading.Lock
    ) -> None:
        self._path = path
        self._alone = alone
        self._engine = _engine(path, begin, busy_for, (*PRAGMAS, *pragmas))
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite {begin.lower()}")

    async def run(self, work: Callable[[Connection], T]) -> T:
        certain = threading.Lock()  # taken by whoever comes first: the commit, or the caller that withdraws
        job = self._thread.submit(self._transaction, work, certain)
        ended = asyncio.wrap_future(job)
        withdrawn = False
        while not ended.done():
            try:
                await asyncio.wait([ended])
            except asyncio.CancelledError:
                job.cancel()
                withdrawn = withdrawn or certain.acquire(blocking=False)
        if withdrawn:
            if not ended.cancelled():
                ended.exception()  # seen: it makes no difference any more
            raise asyncio.CancelledError
        return ended.result()

    async def close(self) -> None:
        await asyncio.wrap_future(self._thread.submit(self._disconnect))
        self._thread.shutdown()

    def _transaction(self, work: Callable[[Connection], T], certain: threading.Lock) -> T:
        try:
            if self._connection is None:
                with self._alone:
                    self._connection = _connect(self._engine, self._path)
            with self._connection.begin():
                result = work(self._connection)
                if not certain.acquire(blocking=False):
                    raise _Withdrawn
                return result
        except (DBAPIError, sqlite3.Error) as error:
            if sqlite_code(error) in MAYBE_FULL and _no_room(self._path):
                raise StoreFull from error
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()


class _Withdrawn(Exception):
    """The caller gave up before the commit: roll back."""


def _engine(path: Path, begin: str, busy_for: float, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        # Without an isolation level sqlite3 begins nothing by itself: the listener below does.
        connect_args={"isolation_level": None, "timeout": busy_for},
        json_serializer=to_json,
        json_deserializer=from_json,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").fetchall()

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _connect(engine: Engine, path: Path) -> Connection:
    """
    A connection; by one thread at a time, and never is a file opened beside SQLite that it may have open.

    To close such a one takes all of this process's locks off it (fcntl(2)). Whoever else looks into the database then,
    as a backup does, believes to be the last one and removes the write-ahead log, with all that is still to come.
    """
    try:
        _make(path)
    except OSError as error:
        if error.errno in UNUSABLE:
            raise SettingInvalid(f"The database file {path} can't be opened: {error.strerror}.") from error
        raise
    return engine.connect()


def _make(path: Path) -> None:
    """Make the file before SQLite does: its own would be as readable as the umask lets it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None


def _no_room(path: Path) -> bool:
    """SQLite calls some of what a full disk does an I/O error."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < ROOM


def _seconds(text: str | tuple[str, ...]) -> float:
    try:
        seconds = float(text)  # type: ignore[arg-type]  # a tuple, when given twice, is a TypeError
    except (TypeError, ValueError):
        raise SettingInvalid("The timeout in SQLite's URL is a number of seconds.") from None
    if not 0 < seconds < 3600:
        raise SettingInvalid("The timeout in SQLite's URL is over 0 and under an hour.")
    return seconds
