"""Which of the core's words each vendor's error comes to."""

from __future__ import annotations

import errno
import sqlite3

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from station_adapters.sql import sqlite_codes
from station_adapters.sql.errors import refusals, store_errors, violated
from station_core.errors import ChangeRefused, SettingInvalid, StationError, StoreFull, StoreUnavailable


def sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("SQLite's words")
    error.sqlite_errorcode = code
    return error


def wrapped(error: BaseException) -> DBAPIError:
    return DBAPIError("SELECT 1", {"secret": "canary"}, error)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (TimeoutError(), StoreUnavailable),
        (PoolTimeout(), StoreUnavailable),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), StoreUnavailable),
        (OSError(errno.ENOSPC, "no space"), StoreFull),
        (OSError(errno.EDQUOT, "quota"), StoreFull),
        (sqlite(sqlite3.SQLITE_FULL), StoreFull),
        (sqlite(sqlite3.SQLITE_BUSY), StoreUnavailable),
        (sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), StoreUnavailable),
        (sqlite(sqlite3.SQLITE_IOERR_FSYNC), StoreUnavailable),
        (sqlite(sqlite3.SQLITE_CORRUPT), StoreUnavailable),
        (sqlite(sqlite3.SQLITE_READONLY), StoreUnavailable),
        (sqlite(sqlite3.SQLITE_TOOBIG), ChangeRefused),
        (sqlite(sqlite3.SQLITE_NOTADB), SettingInvalid),
        (asyncpg.DiskFullError("full"), StoreFull),
        (asyncpg.TooManyConnectionsError("many"), StoreUnavailable),
        (asyncpg.AdminShutdownError("ends"), StoreUnavailable),
        (asyncpg.CannotConnectNowError("starts"), StoreUnavailable),
        (asyncpg.ConnectionDoesNotExistError("gone"), StoreUnavailable),
        (asyncpg.DeadlockDetectedError("locked"), StoreUnavailable),
        (asyncpg.InvalidPasswordError("password"), StoreUnavailable),
        (asyncpg.InsufficientPrivilegeError("denied"), StoreUnavailable),
        (asyncpg.ReadOnlySQLTransactionError("standby"), StoreUnavailable),
        (asyncpg.InterfaceError("connection is closed"), StoreUnavailable),
        (asyncpg.InternalClientError("another operation is in progress"), StoreUnavailable),
        (asyncpg.CharacterNotInRepertoireError("canary"), ChangeRefused),
        (asyncpg.ProgramLimitExceededError("canary"), ChangeRefused),
        (asyncpg.DataError("canary"), ChangeRefused),
        (StoreFull(), StoreFull),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_a_database_raises_is_said_in_the_cores_words(raised: Exception, said: type[StationError]) -> None:
    with pytest.raises(said) as direct, store_errors():
        raise raised
    with pytest.raises(said) as by_sqlalchemy, store_errors():
        raise raised if isinstance(raised, OSError | PoolTimeout | StationError) else wrapped(raised)

    assert "canary" not in f"{direct.value} {by_sqlalchemy.value}"


def test_what_our_own_code_raises_below_sqlalchemy_is_itself() -> None:
    with pytest.raises(ChangeRefused, match="NUL"), store_errors():
        raise StatementError("wrapped", "INSERT", {}, ChangeRefused("NUL"))


@pytest.mark.parametrize(
    "bug",
    [LookupError(), sqlite(sqlite3.SQLITE_ERROR), asyncpg.UndefinedTableError("no table"), TypeError()],
    ids=lambda bug: type(bug).__name__,
)
def test_a_bug_is_shown_as_one(bug: Exception) -> None:
    with pytest.raises(type(bug)), store_errors():
        raise bug


@pytest.mark.parametrize(
    "error",
    [
        sqlite(sqlite3.SQLITE_CONSTRAINT_CHECK),
        asyncpg.CheckViolationError("canary"),
        IntegrityError("INSERT", {}, asyncpg.NotNullViolationError("canary")),
        OverflowError("Python int too large"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_to_the_journal_a_broken_constraint_is_content_that_cant_be_kept(error: Exception) -> None:
    with pytest.raises(ChangeRefused) as refused, refusals():
        raise error

    assert "canary" not in str(refused.value)


def test_the_kinds_of_violation_are_told_apart() -> None:
    def kind(error: BaseException) -> str:
        return violated(IntegrityError("INSERT", {}, error))

    assert kind(sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE)) == kind(asyncpg.UniqueViolationError("x")) == "unique"
    assert kind(sqlite(sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY)) == "foreign key"
    assert kind(asyncpg.ForeignKeyViolationError("x")) == "foreign key"
    assert kind(asyncpg.CheckViolationError("x")) == "other"


def test_the_codes_are_sqlites() -> None:
    ours = {name: code for name, code in vars(sqlite_codes).items() if name.isupper() and name != "PRIMARY"}

    assert ours == {name: getattr(sqlite3, f"SQLITE_{name}") for name in ours}
    assert all(ours[name.partition("_")[0]] == code & sqlite_codes.PRIMARY for name, code in ours.items())
