from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from station_adapters.sql.errors import sqlstate, store_errors
from station_core.errors import SettingInvalid, StationError, StoreFull, StoreTaken, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_adapters.sql.engine import Database
    from station_adapters.sql.postgres import PostgresDatabase

log = logging.getLogger("station.store")

KEY: Final = int.from_bytes(b"station", "big")  # of the advisory lock; a database is one station's
WAIT: Final = 5.0  # seconds that the lock is waited for at the start (decision 2)
WAIT_AGAIN: Final = 10.0  # after a loss: longer than the server takes to give up on our own former connection
ANSWER: Final = 2.0  # seconds that the server has for anything else
LOOK_EVERY: Final = 1.0  # seconds; with ANSWER well below the server's 5 s, after which it may let another in
LOCK_TIMEOUT_STATE: Final = "55P03"
WRONG_SETTING_CLASSES: Final = frozenset({"28", "3D"})  # user or password, database
KEEPALIVES: Final = {  # the server gives up on a silent connection after 2 + 3 × 1 s
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}


class StoreLock(Protocol):
    """One writer: who holds the lock may write (decision 2)."""

    async def acquire(self) -> None:
        """
        Hold the lock; again is no error. Raise `StoreTaken` when another has it for over 5 s.

        Raise `StoreUnavailable` when the database doesn't answer, `StoreFull` when its disk has no room for a session,
        `SettingInvalid` when it refuses us for good.
        """
        ...

    async def run(self) -> None:
        """
        Watch over the lock until cancelled, then give it back; acquire it first when it isn't held.

        Lost: `held` of the database is False at once, and this raises `StoreUnavailable`. Run it again to get it back:
        `StoreTaken` when another station has it by then.
        """
        ...


def store_lock(database: Database, on_held: Callable[[bool], None] = lambda _: None) -> StoreLock:
    """The lock of this database; *on_held* is told when it's held and when it's lost."""
    if database.dialect == "sqlite":
        return NoLock(on_held)
    return AdvisoryLock(cast("PostgresDatabase", database), on_held)


class NoLock:
    """SQLite's file is held by a file lock beside it or beside the data, before anything of the station runs."""

    def __init__(self, on_held: Callable[[bool], None] = lambda _: None) -> None:
        self._on_held = on_held

    async def acquire(self) -> None:
        """See `StoreLock`."""
        self._on_held(True)

    async def run(self) -> None:
        """See `StoreLock`."""
        await asyncio.get_running_loop().create_future()


class AdvisoryLock:
    """PostgreSQL's, which lives as long as a connection that has no other use."""

    def __init__(
        self,
        database: PostgresDatabase,
        on_held: Callable[[bool], None] = lambda _: None,
        *,
        wait: float = WAIT,
        wait_again: float = WAIT_AGAIN,
    ) -> None:
        self._database = database
        self._on_held = on_held
        self._wait_again = wait_again
        self._connection: Any = None
        self._acquiring = asyncio.Lock()
        self._lost = asyncio.Event()
        self._wait = wait

    async def acquire(self) -> None:
        """See `StoreLock`."""
        async with self._acquiring:
            if self._connection is not None and not self._connection.is_closed():
                await self._look()  # before `run` nobody else does, and a server that vanished says nothing
                if not self._lost.is_set():
                    return
                self._connection.terminate()
            self._connection = None
            try:
                with store_errors():
                    self._connection = await self._locked()
            except StationError as error:
                self._database.full = isinstance(error, StoreFull)
                raise
            self._connection.add_termination_listener(self._ended)
            self._lost.clear()
            self._wait = self._wait_again
            self._tell(held=True)

    async def run(self) -> None:
        """See `StoreLock`."""
        try:
            await self.acquire()
            while not self._lost.is_set():
                try:
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._lost.wait()
                except TimeoutError:
                    await self._look()
            raise StoreUnavailable("The store's lock is lost.")
        finally:
            await self._release()

    async def _locked(self) -> Any:
        """A connection that holds the lock."""
        async with asyncio.timeout(self._wait + ANSWER):
            try:
                connection = await self._database.connect(
                    **KEEPALIVES, application_name="station lock", lock_timeout=str(int(self._wait * 1000))
                )
            except Exception as error:
                if (sqlstate(error) or "")[:2] in WRONG_SETTING_CLASSES:
                    raise SettingInvalid(f"PostgreSQL refuses the station: {error}") from error
                raise
            try:
                await connection.execute(f"SELECT pg_advisory_lock({KEY})")
            except BaseException as error:
                connection.terminate()
                if sqlstate(error) == LOCK_TIMEOUT_STATE:
                    raise StoreTaken("Another station uses this database.") from error
                raise
            return connection

    async def _look(self) -> None:
        try:
            with store_errors():
                async with asyncio.timeout(ANSWER):
                    await self._connection.fetchval("SELECT 1")
        except StoreUnavailable:
            self._lose()

    def _ended(self, connection: Any) -> None:
        if connection is self._connection:
            self._lose()

    def _lose(self) -> None:
        self._lost.set()
        self._tell(held=False)

    def _tell(self, *, held: bool) -> None:
        if self._database.held != held:
            log.debug("store lock %s", "held" if held else "lost")
        self._database.held = held
        self._database.full = False
        self._on_held(held)

    async def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        connection.remove_termination_listener(self._ended)
        if self._lost.is_set():
            connection.terminate()
            return
        try:
            with store_errors():
                await connection.close(timeout=ANSWER)
        except StoreUnavailable:
            connection.terminate()
