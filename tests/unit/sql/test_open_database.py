from __future__ import annotations

import pytest

from station_adapters.sql.engine import open_database
from station_core.errors import SettingInvalid


@pytest.mark.parametrize(
    "url",
    [
        "",
        "canary",
        "sqlite://",
        "sqlite:///canary.db",
        "sqlite:///:memory:",
        "sqlite:////tmp/x.db?cache=shared",
        "sqlite:////tmp/x.db?timeout=soon",
        "sqlite:////tmp/x.db?timeout=0",
        "sqlite:////tmp/x.db?timeout=nan",
        "sqlite+aiosqlite:////tmp/x.db",
        "postgresql://u:canary@h/d",
        "postgresql+psycopg://u:canary@h/d",
        "postgresql+asyncpg://u:canary@h:port/d",
        "postgresql+asyncpg://u:canary@h/d?statement_cache_size=0",
        "postgresql+asyncpg://u:canary@h/d?ssl=a&ssl=b",
        "postgresql+asyncpg://u:canary@h/d?port=x",
        "mysql://u:canary@h/d",
    ],
)
def test_a_url_that_cant_be_used_is_a_wrong_setting_and_its_password_stays_secret(url: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        open_database(url)

    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://u:canary@h:5432/d?ssl=require",
        "postgresql+asyncpg://u:canary@h/d?sslmode=disable",
        "postgresql+asyncpg:///d?host=/run/postgresql&port=5433",
    ],
)
def test_a_database_shows_where_it_is_and_no_password(url: str) -> None:
    database = open_database(url)

    assert "/d" in repr(database)
    assert "canary" not in repr(database)


def test_a_sqlite_database_shows_its_file() -> None:
    database = open_database("sqlite:////tmp/a folder/x.db?timeout=1.5")

    assert repr(database) == "SqliteDatabase('/tmp/a folder/x.db')"
