"""
A batch of the journal in SQLite, in few statements of many rows.

Before and after each step of a statement sqlite3 hands over the interpreter's lock, and waits for as long as the loop
has something to do until it gets it back. With a step for each row a busy station's commit took 200 ms, and what nobody
waited for was lost in the end.
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

from station_adapters.sql.audit import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from station_adapters.sql.batch import Rows

MOST: Final = 512  # rows of a statement; SQLite takes at least 32,766 values (its limits, SQLITE_MAX_VARIABLE_NUMBER)
MOST_JSON: Final = 128 * 1024  # characters of it in a statement of several rows: sqlite3 remembers what it gave to each

FRESH: Final = """
UPDATE journal SET last_batch = :number, last_seq = last_seq + :lines
WHERE id = 1 AND last_batch < :number AND epoch = coalesce(:epoch, epoch)
RETURNING last_seq - :lines
"""
EPOCH: Final = "SELECT epoch FROM journal WHERE id = 1"

_DEVICE: Final = (
    "type",
    "status",
    "last_known_state",
    "firmware_version",
    "chip",
    "kit_tag",
    "last_heartbeat_at",
    "station_id",
    "session",
    "acks",
    "updated_at",
)
_MARKS: Final = ("unsent_state_at", "unsent_state_seq")
_LINE: Final = ("seq", "id", "device_id", "event_type", "payload", "device_name", "device_type", "created_at")
_LETTER: Final = ("seq", "id", "rank", "channel", "method", "params", "size", "written_at")


def write(connection: Connection, rows: Rows, epoch: int | None) -> int | None:
    """Write the rows, unless the batch is kept already or the store isn't at *epoch*: then return where it is."""
    # sqlite3's own cursor: SQLAlchemy's would take longer than the statements do.
    cursor = cast("Any", connection.connection.driver_connection).cursor()
    asked = {"number": rows.number, "lines": len(rows.lines), "epoch": epoch}
    fresh = cursor.execute(FRESH, asked).fetchall()
    if not fresh:
        return cast("int", cursor.execute(EPOCH).fetchone()[0])
    before: int = fresh[0][0]
    if rows.marks:
        marked = [
            _marked(device, at, after, before) for device, (at, after) in zip(rows.devices, rows.marks, strict=True)
        ]
        _all(cursor, "marked", marked, json=2)
    else:
        _all(cursor, "devices", rows.devices, json=2)
    _all(cursor, "lines", [(seq, *line) for seq, line in enumerate(rows.lines, before + 1)], json=4)
    _all(cursor, "letters", [(before + cast("int", n), *letter) for n, *letter in rows.letters], json=5)
    _all(cursor, "deeds", rows.deeds, json=-1)
    cursor.execute("DELETE FROM journal_deliveries WHERE batch < ?", (rows.oldest,))
    if rows.deliveries is not None:
        cursor.execute("INSERT INTO journal_deliveries VALUES (?, ?)", (rows.number, rows.deliveries))
    return None


def _all(cursor: Any, what: str, rows: Sequence[tuple[Any, ...]], *, json: int) -> None:
    """Write these, in powers of two: so few statements are remembered by sqlite3. *json* is the column that has it."""
    start = 0
    while left := len(rows) - start:
        count = min(MOST, 1 << left.bit_length() - 1)
        while count > 1 and sum([len(row[json]) for row in rows[start : start + count]]) > MOST_JSON:
            count //= 2
        cursor.execute(statement(what, count), [*chain.from_iterable(rows[start : start + count])])
        start += count


@cache
def statement(what: str, count: int) -> str:
    """The one that writes so many rows."""
    match what:
        case "lines":
            return _insert("device_events", _LINE, count)
        case "letters":
            return _insert("outbox", _LETTER, count)
        case "deeds":
            return _insert("audit", COLUMNS, count)
        case _:
            told = [f"{column} = new.column{n}" for n, column in enumerate(_DEVICE, 1)]
            marks = _MARKS if what == "marked" else ()
            # A device that told no state keeps its mark.
            told += [
                f"{column} = coalesce(new.column{n}, {column})" for n, column in enumerate(marks, len(_DEVICE) + 1)
            ]
            width = len(_DEVICE) + len(marks) + 1
            return (
                f"UPDATE devices SET {', '.join(told)} FROM ({_values(width, count)}) AS new "  # noqa: S608  # ours alone
                f"WHERE devices.id = new.column{width}"
            )


def _insert(table: str, columns: Sequence[str], count: int) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) {_values(len(columns), count)}"


def _values(width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    return f"VALUES {', '.join([row] * count)}"


def _marked(device: tuple[object, ...], at: object, after: int | None, before: int) -> tuple[object, ...]:
    *reported, device_id = device
    return (*reported, at, None if after is None else before + after, device_id)
