from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeVar

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError

from station_adapters.sql.errors import store_errors
from station_core.errors import SettingInvalid, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

T = TypeVar("T")

WITHIN: Final = 4.5  # seconds that PostgreSQL has for a transaction, the way there included


class Database(ABC):
    """
    One database, reached by transactions; PostgreSQL and SQLite alike.

    *work* is a plain function over a connection, possibly called in another thread: it must neither keep the connection
    nor end the transaction. What it raises rolls back. All raise what `store_errors` says.
    `held` is False while the store's lock is lost (see `StoreLock`): nothing is written then. `full` tells that what
    keeps it from coming back is a full disk.
    """

    dialect: ClassVar[Literal["postgresql", "sqlite"]]
    held: bool = True
    full: bool = False
    _closed: bool = False

    async def run(self, work: Callable[[Connection], T], *, within: float | None = WITHIN) -> T:
        """
        Do the work as one transaction; after it returns its effect survives a power cut.

        A cancellation before the effect is certain rolls back. One that comes too late is passed over, and strikes at
        the caller's next wait.
        """
        with store_errors(), _late_cancellations():
            self.check_held()
            return await self._run(work, within)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do work that changes nothing; it neither waits for what is being written nor delays it."""
        with store_errors(), _late_cancellations():
            self._check_open()
            return await self._read(work)

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())

    async def size(self) -> int:
        """Bytes that it takes; raise what `read` raises."""
        sqlite = self.dialect == "sqlite"
        pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        question = text(pages if sqlite else "SELECT pg_database_size(current_database())")
        return int(await self.read(lambda connection: connection.execute(question).scalar_one()))

    async def close(self) -> None:
        """Let go of all connections; what runs comes to its end first, what comes later is refused."""
        if not self._closed:
            self._closed = True
            await self._close()

    def check_held(self) -> None:
        """Raise `StoreUnavailable` or `StoreFull` while the store's lock is lost, the former once it is closed."""
        self._check_open()
        if not self.held:
            if self.full:
                raise StoreFull
            raise StoreUnavailable("The store's lock is lost.")

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The database is closed.")

    @abstractmethod
    async def _close(self) -> None: ...

    @abstractmethod
    async def _run(self, work: Callable[[Connection], T], within: float | None) -> T: ...

    @abstractmethod
    async def _read(self, work: Callable[[Connection], T]) -> T: ...


def open_database(url: str) -> Database:
    """
    The database at `sqlite:///absolute/path` or `postgresql+asyncpg://…`; connects when it's first used.

    Raise `SettingInvalid` for any other URL; neither that nor the database's `repr` shows a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingInvalid("The database's URL can't be read.") from None
    match parsed.drivername:
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql+asyncpg":
            # Imported when needed: a station over SQLite starts a tenth of a second sooner.
            from station_adapters.sql.postgres import PostgresDatabase  # noqa: PLC0415

            return PostgresDatabase(parsed)
        case _:
            raise SettingInvalid("The database's URL begins with sqlite:// or postgresql+asyncpg://.")


@contextmanager
def _late_cancellations() -> Iterator[None]:
    """What was passed over isn't forgotten: a worker would never end. A timeout that is over by then is."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    heard = False
    try:
        yield
    except asyncio.CancelledError:
        heard = True
        raise
    finally:
        if not heard and task.cancelling() > before:
            asyncio.get_running_loop().call_soon(_strike, task, before)


def _strike(task: asyncio.Task[object], before: int) -> None:
    if task.cancelling() > before:
        task.uncancel()
        task.cancel()


def _sqlite(url: URL) -> Database:
    from station_adapters.sql.sqlite import SqliteDatabase  # noqa: PLC0415  # both know this module

    return SqliteDatabase(url)
