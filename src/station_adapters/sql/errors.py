"""What SQLAlchemy, asyncpg, sqlite3 and the system raise, in the core's words."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from station_adapters.sql import sqlite_codes
from station_core.errors import ChangeRefused, SettingInvalid, StationError, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

Violation = Literal["unique", "foreign key", "other"]

_SQLITE_BUGS: Final = frozenset({sqlite_codes.ERROR, sqlite_codes.CONSTRAINT, sqlite_codes.MISUSE})
_SQLITE_CONTENT: Final = frozenset({sqlite_codes.TOOBIG, sqlite_codes.MISMATCH, sqlite_codes.RANGE})
_DISK_FULL: Final = "53100"  # PostgreSQL's appendix A, "Error Codes": states, and below their classes
_NOT_ALLOWED: Final = "42501"
_CONTENT: Final = frozenset({"22", "54"})  # data exception, program limit exceeded
_DRIVERS: Final = frozenset({"InterfaceError", "InternalClientError"})
_PASSING: Final = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58", "XX"})


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise `StoreUnavailable`, `StoreFull`, `ChangeRefused` or `SettingInvalid` for what a database or disk raises."""
    try:
        yield
    except StationError:
        raise
    except Exception as error:
        said = _said(error)
        if said is None:
            raise  # a bug of ours, and shown as one
        raise said from error


@contextmanager
def refusals() -> Iterator[None]:
    """For the journal: what breaks a constraint can never be kept either, and must not stop what comes after it."""
    try:
        yield
    except IntegrityError as error:
        raise ChangeRefused(f"constraint: {violated(error)}") from error
    except Exception as error:
        if (sqlstate(error) or "")[:2] == "23" or sqlite_code(error) == sqlite_codes.CONSTRAINT:
            raise ChangeRefused("constraint") from error
        if isinstance(error, OverflowError):
            raise ChangeRefused("an integer beyond 64 bits") from error
        raise


def violated(error: IntegrityError) -> Violation:
    """Which kind of constraint stood against it."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code in {sqlite_codes.CONSTRAINT_UNIQUE, sqlite_codes.CONSTRAINT_PRIMARYKEY} or sqlstate(error) == "23505":
        return "unique"
    if code == sqlite_codes.CONSTRAINT_FOREIGNKEY or sqlstate(error) == "23503":
        return "foreign key"
    return "other"


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five letters, of asyncpg's own error or of one that SQLAlchemy wrapped."""
    state = getattr(_inner(error), "sqlstate", None)
    return state if isinstance(state, str) else None


def sqlite_code(error: BaseException) -> int | None:
    """SQLite's primary result code, of sqlite3's own error or of one that SQLAlchemy wrapped."""
    code = getattr(_inner(error), "sqlite_errorcode", None)
    return code & sqlite_codes.PRIMARY if isinstance(code, int) else None


def _said(error: Exception) -> StationError | None:
    inner = _inner(error)
    if isinstance(inner, StationError):
        return inner  # of our own code, called by SQLAlchemy
    if isinstance(error, OSError | PoolTimeout):
        return _of_system(error)
    state, code = sqlstate(error), sqlite_code(error)
    if state is not None:
        return _of_postgres(state, error)
    if code is not None:
        return _of_sqlite(code, error)
    return _of_driver(error)


def _of_system(error: OSError | PoolTimeout) -> StationError:
    if isinstance(error, TimeoutError | PoolTimeout):
        return StoreUnavailable("The database doesn't answer.")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFull()
    return StoreUnavailable(f"The database can't be reached: {_first_line(error)}")


def _of_postgres(state: str, error: Exception) -> StationError | None:
    if state == _DISK_FULL:
        return StoreFull()
    if state[:2] in _CONTENT:
        return ChangeRefused(f"SQLSTATE {state}")  # PostgreSQL's words would show the content
    if state[:2] in _PASSING or state == _NOT_ALLOWED:
        return StoreUnavailable(f"The database can't answer now: {_first_line(error)} ({state})")
    return None


def _of_sqlite(code: int, error: Exception) -> StationError | None:
    if code == sqlite_codes.FULL:
        return StoreFull()
    if code == sqlite_codes.NOTADB:
        return SettingInvalid("The database file is none of SQLite's.")
    if code in _SQLITE_CONTENT:
        return ChangeRefused(f"SQLite code {code}")
    if code in _SQLITE_BUGS:
        return None
    return StoreUnavailable(f"The database can't answer now: {_first_line(error)}")


def _of_driver(error: Exception) -> StationError | None:
    """Neither database said it but the driver: asyncpg's two kinds of error, by name, for it may not be there."""
    inner = _inner(error)
    if _DRIVERS.isdisjoint(kind.__name__ for kind in type(inner).__mro__):
        return None
    cause = inner.__cause__ or inner
    if isinstance(cause, ValueError):
        return ChangeRefused(type(cause).__name__)
    return StoreUnavailable("The connection to the database ended.")


def _inner(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, StatementError) and error.orig is not None else error


def _first_line(error: BaseException) -> str:
    return (str(_inner(error)) or type(error).__name__).partition("\n")[0][:200]
