from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import asyncpg
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.util import greenlet_spawn

from station_adapters.sql.content import from_json, to_json
from station_adapters.sql.engine import WITHIN, Database
from station_adapters.sql.errors import store_errors
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sqlalchemy import URL, Connection

T = TypeVar("T")

POOL: Final = 4  # connections beside the journal's and the lock's
ROLLBACK: Final = 1.0  # seconds that the server has for it before the connection is given up
OPTIONS: Final = frozenset({"ssl", "sslmode", "host", "port"})  # in the URL's query
SESSION: Final[Mapping[str, str]] = {
    "application_name": "station",
    "synchronous_commit": "on",  # decision 2
    "timezone": "UTC",
    "jit": "off",  # costs more than any statement of ours takes
    "idle_in_transaction_session_timeout": "10000",  # ms: what a station that vanished had locked becomes free
    "lock_timeout": "4000",  # ms
}
# A host that is gone without a word resets nothing: by these who waits for it hears of that, and the pool does.
KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3),  # seconds
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),  # seconds
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7_000),  # ms that what was sent may go without a TCP acknowledgement
)


class PostgresDatabase(Database):
    """
    A PostgreSQL server: a small pool, and one connection that is the journal's alone.

    SQLAlchemy waits for asyncpg in greenlets, as by its `AsyncEngine`, which would bring along the ORM: 6 MB.
    """

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        self._where = url
        self._options = _driver_options(url)
        self._engine = create_engine(
            url.set(query={}),
            creator=self._pooled,
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=WITHIN,
            json_serializer=to_json,
            json_deserializer=from_json,
        )
        event.listen(self._engine, "checkout", _check_open)
        self._journal: Any = None
        self._journal_free = asyncio.Lock()

    def __repr__(self) -> str:
        return f"PostgresDatabase({self._where.set(query={}).render_as_string(hide_password=True)!r})"

    async def statement(self, sql: str, *arguments: object) -> Any:
        """
        Execute one statement, a transaction by itself, on the journal's connection; its first row, or None.

        Cancelled: done whole or not at all.
        """
        with store_errors():
            self.check_held()
            async with asyncio.timeout(WITHIN), self._journal_free:
                connection = await self._journal_connection()
                try:
                    return await connection.fetchrow(sql, *arguments)
                except (asyncpg.PostgresError, asyncpg.DataError):
                    raise
                except BaseException:
                    connection.terminate()  # asyncpg would ask the server to cancel, and wait for a dead one
                    raise

    async def connect(self, **session: str) -> Any:
        """A connection of asyncpg's own, for the caller to close; *session* adds to its server settings."""
        connection = await asyncpg.connect(**self._options, timeout=WITHIN, server_settings={**SESSION, **session})
        _keep_alive(connection._transport.get_extra_info("socket"))  # noqa: SLF001  # pinned by a contract test
        return connection

    async def _close(self) -> None:
        async with self._journal_free:
            if self._journal is not None:
                self._journal.terminate()
        await greenlet_spawn(self._engine.dispose)

    async def _run(self, work: Callable[[Connection], T], within: float | None) -> T:
        deadline = None if within is None else _now() + within
        async with self._connection(deadline) as connection:
            result = await _in_time(connection, greenlet_spawn(work, connection), deadline)
            self.check_held()
            await _to_its_end(_in_time(connection, greenlet_spawn(connection.commit), deadline))
        return result

    async def _read(self, work: Callable[[Connection], T]) -> T:
        deadline = _now() + WITHIN
        async with self._connection(deadline) as connection:
            await greenlet_spawn(partial(connection.execution_options, postgresql_readonly=True))
            return await _in_time(connection, greenlet_spawn(work, connection), deadline)

    @asynccontextmanager
    async def _connection(self, deadline: float | None) -> AsyncIterator[Connection]:
        async with asyncio.timeout_at(deadline):
            connection = await greenlet_spawn(self._engine.connect)
        try:
            yield connection
        finally:
            await _to_its_end(_put_back(connection))

    def _pooled(self) -> Any:
        return cast("Any", self._engine.dialect.dbapi).connect(async_creator_fn=self.connect)

    async def _journal_connection(self) -> Any:
        if self._journal is None or self._journal.is_closed():
            # The statement is always the same: to plan it anew for each batch costs more than to execute it.
            self._journal = await self.connect(application_name="station journal", plan_cache_mode="force_generic_plan")
        return self._journal


def _keep_alive(sock: socket.socket) -> None:
    if sock.family != socket.AF_UNIX:
        for level, option, value in KEEPALIVE:
            sock.setsockopt(level, option, value)


async def _in_time(connection: Connection, doing: Awaitable[T], deadline: float | None) -> T:
    """
    What it returns, or raise `TimeoutError`; that, and a cancellation, ends the connection without a word.

    SQLAlchemy and asyncpg would take their leave of a server that may be dead, and wait for it.
    """
    future = asyncio.ensure_future(doing)
    try:
        async with asyncio.timeout_at(deadline):
            await asyncio.wait([future])
    except (asyncio.CancelledError, TimeoutError):
        _hang_up(connection)
        await _to_its_end(asyncio.wait([future]))
        if not future.cancelled():
            future.exception()  # seen: that the connection ended
        raise
    return future.result()


async def _put_back(connection: Connection) -> None:
    """Back to the pool, with nothing open on it."""
    with suppress(TimeoutError, DBAPIError):
        # Nothing to do after a commit.
        await _in_time(connection, greenlet_spawn(connection.rollback), _now() + ROLLBACK)
    await greenlet_spawn(connection.close)


def _hang_up(connection: Connection) -> None:
    if not connection.invalidated:
        connection.connection.driver_connection.terminate()  # type: ignore[union-attr]  # it's open


async def _to_its_end(ending: Awaitable[T]) -> T:
    """What it returns, whatever cancellation comes meanwhile: such a one comes too late and is passed over."""
    future = asyncio.ensure_future(ending)
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    return future.result()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _check_open(connection: Any, _record: object, _proxy: object) -> None:
    # asyncpg hears at once when the server goes, within `KEEPALIVE` when its host does: no need to ask before each use.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _driver_options(url: URL) -> dict[str, Any]:
    if unknown := sorted(set(url.query) - OPTIONS):
        raise SettingInvalid(f"PostgreSQL's URL knows no option {unknown[0][:32]}.")
    if any(not isinstance(value, str) for value in url.query.values()):
        raise SettingInvalid("PostgreSQL's URL gives an option twice.")
    query = {key: value for key, value in url.query.items() if isinstance(value, str)}
    options: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
        "ssl": query.get("ssl", query.get("sslmode")),
    }
    if "host" in query:  # the folder of a unix socket, which the URL's host can't name
        options["host"] = query["host"]
    if "port" in query:
        if not query["port"].isascii() or not query["port"].isdigit():
            raise SettingInvalid("The port in PostgreSQL's URL is a number.")
        options["port"] = int(query["port"])
    return {key: value for key, value in options.items() if value is not None}
