"""How a batch is cut into statements: sqlite3 remembers each, and what it gave to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from station_adapters.sql.batch import Rows
from station_adapters.sql.commit_sqlite import MOST, MOST_JSON, write

MESSAGE = 64 * 1024  # the largest there is


class Cursor:
    """Takes statements down; the batch is fresh."""

    def __init__(self) -> None:
        self.given: list[tuple[str, list[Any]]] = []

    def execute(self, sql: str, values: Any) -> Cursor:
        if "VALUES (?" in sql and "journal" not in sql:
            self.given.append((sql, values))
        return self

    def fetchall(self) -> list[tuple[int]]:
        return [(100,)]


def _given(rows: Rows) -> list[tuple[str, list[Any]]]:
    cursor = Cursor()
    driver = SimpleNamespace(cursor=lambda: cursor)
    write(cast("Any", SimpleNamespace(connection=SimpleNamespace(driver_connection=driver))), rows, None)
    return cursor.given


def _rows(json: str, count: int, *, marked: bool) -> Rows:
    return Rows(
        number=1,
        oldest=1,
        devices=[("lamp", "online", json, *[None] * 8, f"d{n}") for n in range(count)],
        lines=[(f"l{n}", "d", "state", json, "Lamp", "lamp", n) for n in range(count)],
        deeds=[(n, *["x"] * 8, json) for n in range(count)],
        deliveries=None,
        letters=[(n, f"l{n}", 1, "state", "report", json, 1, n) for n in range(1, count + 1)] if marked else (),
        marks=[(n, n) for n in range(count)] if marked else (),
    )


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("size", [2, 300, 5_000, MESSAGE, 3 * MESSAGE])
def test_no_statement_holds_much_json_and_no_row_is_lost(size: int, *, marked: bool) -> None:
    json, count = "x" * size, 700
    given = _given(_rows(json, count, marked=marked))
    held = [values.count(json) for _, values in given]

    assert sum(held) == (4 if marked else 3) * count
    assert all(rows == 1 or rows * size <= MOST_JSON for rows in held)
    assert {rows for rows in held if rows & (rows - 1)} == set()


def test_rows_of_a_home_go_in_few_statements() -> None:
    given = _given(_rows("x" * 100, MOST + 3, marked=False))

    assert [values.count("x" * 100) for _, values in given] == [MOST, 2, 1] * 3
