from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_app.hold import held
from station_app.settings import load_settings
from station_core.errors import StoreTaken

if TYPE_CHECKING:
    from pathlib import Path

    from station_app.settings import Settings


def settings(home: Path, folder: str, database: Path | None = None) -> Settings:
    more = {} if database is None else {"STATION_DATABASE_URL": f"sqlite:///{database}"}
    return load_settings({"HOME": str(home), "STATION_DATA_DIR": str(home / folder), **more})


def test_two_stations_have_a_folder_each(tmp_path: Path) -> None:
    with held(settings(tmp_path, "one")), held(settings(tmp_path, "two")):
        pass


def test_a_folder_is_one_station_s(tmp_path: Path) -> None:
    with held(settings(tmp_path, "one")), pytest.raises(StoreTaken), held(settings(tmp_path, "one")):
        pass


@pytest.mark.parametrize("name", ["one/station.db", "link.db", "link/station.db"])
def test_a_database_file_is_one_station_s_wherever_it_lies_and_however_it_is_called(tmp_path: Path, name: str) -> None:
    first = settings(tmp_path, "one")
    with held(first):
        (tmp_path / "link.db").symlink_to(tmp_path / "one" / "station.db")
        (tmp_path / "link").symlink_to(tmp_path / "one")

        with pytest.raises(StoreTaken), held(settings(tmp_path, "two", tmp_path / name)):
            pass
    with held(settings(tmp_path, "two", tmp_path / name)), pytest.raises(StoreTaken), held(first):
        pass
