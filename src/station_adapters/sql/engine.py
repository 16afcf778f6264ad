from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeVar

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError

from station_adapters.sql.errors import store_errors
from station_core.errors import SettingInvalid, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

T = TypeVar("T")

WITHIN: Final = 4.5  # seconds that PostgreSQL has for a transaction, the way there included


class Database(ABC):
    """
    One database, reached by transactions; PostgreSQL and SQLite alike.

    *work* is a plain function over a connection, possibly called in another thread: it must neither keep the connection
    nor end the transaction. What it raises rolls back. All raise what `store_errors` says.
    `held` is False while the store's lock is lost (see `StoreLock`): nothing is written then.
    """

    dialect: ClassVar[Literal["postgresql", "sqlite"]]
    held: bool = True

    async def run(self, work: Callable[[Connection], T], *, within: float | None = WITHIN) -> T:
        """
        Do the work as one transaction; after it returns its effect survives a power cut.

        A cancellation before the effect is certain rolls back; one that comes too late is passed over.
        """
        with store_errors():
            self.check_held()
            return await self._run(work, within)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do work that changes nothing; it neither waits for what is being written nor delays it."""
        with store_errors():
            return await self._read(work)

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())

    def check_held(self) -> None:
        """Raise `StoreUnavailable` while the store's lock is lost."""
        if not self.held:
            raise StoreUnavailable("The store's lock is lost.")

    @abstractmethod
    async def close(self) -> None:
        """Let go of all connections; what runs comes to its end first."""

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


def _sqlite(url: URL) -> Database:
    from station_adapters.sql.sqlite import SqliteDatabase  # noqa: PLC0415  # both know this module

    return SqliteDatabase(url)
