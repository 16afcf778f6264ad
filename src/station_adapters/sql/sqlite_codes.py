"""
SQLite's result codes that errors are told apart by (sqlite.org/rescode.html).

sqlite3 has them too, but a station over PostgreSQL does without sqlite3: 2 MB. A unit test compares them.
"""

from __future__ import annotations

from typing import Final

PRIMARY: Final = 0xFF
"""The low byte of an extended result code is its primary code."""

ERROR: Final = 1
FULL: Final = 13
TOOBIG: Final = 18
CONSTRAINT: Final = 19
MISMATCH: Final = 20
MISUSE: Final = 21
RANGE: Final = 25
NOTADB: Final = 26

CONSTRAINT_FOREIGNKEY: Final = 787
CONSTRAINT_PRIMARYKEY: Final = 1555
CONSTRAINT_UNIQUE: Final = 2067
