"""Pages of what is told newest first: a cursor is the number of the last that was shown."""

from __future__ import annotations

from station_core.errors import Malformed


def number_in(cursor: str) -> int:
    """The number that a store wrote as a cursor; raise `Malformed` for anything else."""
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 18:  # 64 bits hold any 18 digits
        raise Malformed("This cursor is none of ours.")
    return int(cursor)
