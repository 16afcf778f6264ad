"""What an operator got wrong, or the machine: a sentence, a code for its kind, and nothing damaged."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.small_disk import fill, small_disk
from tests.system.living import UP_WITHIN, StationProcess, eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

TAKEN = "Another station (process {pid}) uses {folder}."


async def end_of(folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code of a station that can't start, and the only thing that the operator has to read."""
    station = StationProcess(folder, environment)
    await station.start(healthy=False)
    assert station.process is not None
    try:
        async with asyncio.timeout(UP_WITHIN):
            code = await station.process.wait()
    finally:
        await station.kill()
    assert "Traceback" not in station.log()
    return code, station.log().splitlines()[-1]


def kept(folder: Path) -> Mapping[str, tuple[int, bytes]]:
    """All files of a folder, with their permissions and contents."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("http_port = true", "station: http_port in {file} has to be a number."),
        ("http_prot = 80", "station: There is no setting http_prot in {file}. Do you mean http_port?"),
        ("id = ", "station: {file} is no TOML: Invalid value (at end of document)."),
    ],
)
async def test_a_settings_file_that_is_wrong(tmp_path: Path, line: str, sentence: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(line)

    assert await end_of(tmp_path, STATION_CONFIG=str(file)) == (78, sentence.format(file=file))
    assert set(kept(tmp_path)) == {"mine.toml", "stderr"}


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "STATION_HTTP_PORT",
            "http",
            "station: STATION_HTTP_PORT has to be a port, a number from 1 to 65535, not “http”.",
        ),
        ("STATION_HTTP_PROT", "80", "station: There is no setting STATION_HTTP_PROT. Do you mean STATION_HTTP_PORT?"),
    ],
)
async def test_an_environment_that_is_wrong(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    assert await end_of(tmp_path, **{name: text}) == (78, sentence)


async def test_a_secrets_file_that_others_can_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary" * 10)
    secret.chmod(0o644)

    code, sentence = await end_of(tmp_path, STATION_JWT_SECRET_FILE=str(secret))

    assert code == 78
    assert sentence == f"station: STATION_JWT_SECRET_FILE: {secret} is open to other users: chmod 600 it."
    assert secret.stat().st_mode & 0o777 == 0o644


async def test_a_data_folder_on_a_read_only_disk(tmp_path: Path) -> None:
    with small_disk("1m,ro") as disk:
        code, sentence = await end_of(tmp_path, STATION_DATA_DIR=str(disk / "data"))

    assert (code, sentence) == (78, f"station: {disk}/data is on a read-only file system.")


async def test_a_data_folder_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk("1m") as disk:
        (disk / "data").mkdir(mode=0o700)
        fill(disk / "ballast")
        before = kept(disk / "data")
        code, sentence = await end_of(tmp_path, STATION_DATA_DIR=str(disk / "data"))
        after = kept(disk / "data")

    assert (code, sentence) == (74, f"station: The disk is full: make room for {disk}/data.")
    assert after == before


async def test_a_data_folder_of_another_user(tmp_path: Path) -> None:
    folder = Path("/usr")
    if os.geteuid() == 0:
        (folder := tmp_path / "data").mkdir(mode=0o700)
        os.chown(folder, 12_345, 12_345)

    code, sentence = await end_of(tmp_path, STATION_DATA_DIR=str(folder))

    assert code == 78
    assert sentence.startswith(f"station: {folder} belongs to user {folder.stat().st_uid}, but station runs as user")


async def test_a_database_file_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    code, sentence = await end_of(tmp_path, STATION_DATABASE_URL=f"sqlite:///{tmp_path}/missing/station.db")

    assert (code, sentence) == (78, f"station: {tmp_path}/missing/station.db.lock doesn't exist.")


async def test_a_database_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "photo.db").write_bytes(b"JFIF" * 4096)

    code, sentence = await end_of(tmp_path, STATION_DATABASE_URL=f"sqlite:///{tmp_path}/photo.db")

    assert (code, sentence) == (78, "station: The database file is none of SQLite's.")
    assert (tmp_path / "photo.db").read_bytes() == b"JFIF" * 4096


@pytest.mark.parametrize("shared", ["folder", "file"])
async def test_a_second_station_on_the_same_data(tmp_path: Path, shared: str) -> None:
    database = {"STATION_DATABASE_URL": f"sqlite:///{tmp_path}/station.db"} if shared == "file" else {}
    second = {**database, "STATION_DATA_DIR": str(tmp_path / "second")} if shared == "file" else {}
    (tmp_path / "beside").mkdir()
    first = StationProcess(tmp_path, database)
    await first.start()
    try:
        await first.log_in()
        code, sentence = await end_of(tmp_path / "beside", **(second or {"STATION_DATA_DIR": str(tmp_path / "data")}))
        added = await first.add("lamp")
    finally:
        await first.stop()

    folder = tmp_path if shared == "file" else tmp_path / "data"
    assert (code, sentence) == (75, f"station: {TAKEN.format(pid=first.pid, folder=folder)}")
    assert added["externalId"] == "lamp"


async def test_the_own_brokers_port_that_is_taken_is_said_and_waited_for(tmp_path: Path) -> None:
    station = StationProcess(tmp_path)
    try:
        with socket.create_server(("127.0.0.1", station.mqtt_port)):
            await station.start(healthy=False)
            await eventually(lambda: "(STATION_MQTT_PORT) ended: Address already in use" in station.log())
        await station.healthy()
        code = await station.stop()
    finally:
        await station.kill()

    assert code == 0
