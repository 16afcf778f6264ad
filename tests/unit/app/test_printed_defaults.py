"""The defaults that docs/protocols.md §7 prints are those that the station has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from station_app.settings import Origin, load_settings
from station_app.settings.given import NAMES, variable
from station_app.settings.shown import shown
from tests.unit.app.test_protocol_tables import PAGE, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from station_app.settings import Settings

ROWS: Final = [
    (re.findall(r"STATION_\w+", names), default, "`…_FILE`" in names) for names, default in rows("| name | default |")
]
PRINTED: Final = {name: default for names, default, _ in ROWS for name in names}
SECOND_SECTION: Final = PAGE.partition("\n## 2. ")[2].partition("\n## 3. ")[0]

WORDS: Final[dict[str, tuple[str, Callable[[Settings, Any], bool]]]] = {
    "STATION_DATABASE_URL": (
        "SQLite in the data folder",
        lambda settings, value: value.startswith(f"sqlite:///{settings.data_dir}"),
    ),
    "STATION_MQTT_PUBLIC_HOST": ("this host's mDNS name", lambda _, value: value.endswith(".local")),
    "STATION_CLOUD_HOST": ("empty: no cloud", lambda _, value: value is None),
    "STATION_CLOUD_CA_FILE": ("the system's store", lambda _, value: value is None),
    "STATION_TRUSTED_PROXIES": ("none", lambda _, value: value == []),
    "STATION_CONFIG": ("`station.toml` in the data folder, if present", lambda _, value: value is None),
    "STATION_ID": ("else a generated id kept in the data folder", lambda _, value: value is None),
    "STATION_LOG_FORMAT": ("`console` on a terminal, else `json`", lambda _, value: value is None),
}
"""Defaults that aren't one value: what is said of them, and what that means."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)})


def literals(cell: str) -> list[str]:
    """The values that a cell names, in its order."""
    return [quoted or bare for quoted, bare in re.findall(r"`([^`]+)`|\b(\d+|true|false)\b", cell)]


def written(value: Any, home: str) -> str:
    """A value as the page writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value).replace(home, "~")


def test_every_name_is_printed_once() -> None:
    names = [
        name
        for names, _, each_has_a_file in ROWS
        for one in names
        for name in ([one, f"{one}_FILE"] if each_has_a_file else [one])
    ]

    assert sorted(names) == sorted(variable(name) for name in NAMES)


def test_what_is_one_value_is_the_printed_one(settings: Settings, tmp_path: Path) -> None:
    told = {
        name: shown(settings, name)
        for name, origin in settings.origins.items()
        if name in PRINTED and origin is Origin.DEFAULT and not name.endswith("_FILE")
    }
    for names, cell, _ in ROWS:
        values = [written(told[name], str(tmp_path)) for name in names if name in told and name not in WORDS]
        found = re.findall(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", SECOND_SECTION) if cell == "§2" else literals(cell)

        assert found[: len(values)] == values, names


@pytest.mark.parametrize("name", WORDS)
def test_what_is_said_in_words_is_so(settings: Settings, name: str) -> None:
    words, holds = WORDS[name]

    assert words in PRINTED[name]
    assert holds(settings, shown(settings, name) if not name.endswith("_FILE") else settings.cloud_ca_file)


def test_the_secrets_are_generated(settings: Settings) -> None:
    generated = {name for name, origin in settings.origins.items() if origin is Origin.GENERATED}

    assert {name for name, cell in PRINTED.items() if cell.startswith("generated")} == generated
