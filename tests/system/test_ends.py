"""How a station ends that can't run as it was told to: one sentence, and an exit code for the kind of trouble."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from tests.system.living import UP_WITHIN, StationProcess, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import Postgres

NOBODY = "postgresql+asyncpg://station:secret@127.0.0.1:1/station"


async def end_of(station: StationProcess) -> tuple[int, str]:
    """The exit code and the last line that the operator reads."""
    await station.start(healthy=False)
    assert station.process is not None
    try:
        async with asyncio.timeout(UP_WITHIN):
            code = await station.process.wait()
    finally:
        await station.kill()
    return code, station.log().splitlines()[-1]


async def test_an_http_port_that_is_taken_is_a_setting_to_change(tmp_path: Path) -> None:
    station = StationProcess(tmp_path)
    with socket.create_server(("127.0.0.1", station.http_port)):
        code, sentence = await end_of(station)

    assert code == 78
    assert sentence.startswith(f"station: HTTP can't listen on 127.0.0.1, port {station.http_port}: Address already in")
    assert "Traceback" not in station.log()


async def test_the_database_of_another_station_is_left_alone(tmp_path: Path, postgres: Postgres) -> None:
    url = {"STATION_DATABASE_URL": await postgres.fresh_database()}
    (tmp_path / "second").mkdir()
    first, second = StationProcess(tmp_path, url), StationProcess(tmp_path / "second", url)
    await first.start()
    try:
        code, sentence = await end_of(second)
    finally:
        await first.stop()

    assert code == 75
    assert sentence.startswith("station: ")
    assert "Traceback" not in second.log()


async def test_a_database_that_is_not_there_yet_is_said_once_without_its_password(tmp_path: Path) -> None:
    station = StationProcess(tmp_path, {"STATION_DATABASE_URL": NOBODY})
    await station.start(healthy=False)
    try:
        await eventually(lambda: "the store is not there yet" in station.log())
    finally:
        code = await station.stop()

    assert code == 0
    assert station.log().count("the store is not there yet") == 1
    assert "secret" not in station.log()


async def test_a_database_that_is_frozen_does_not_hold_up_the_end(tmp_path: Path, postgres: Postgres) -> None:
    station = StationProcess(tmp_path, {"STATION_DATABASE_URL": await postgres.fresh_database()})
    await station.start()
    await station.log_in()
    postgres.pause()
    try:
        code = await station.stop()
    finally:
        postgres.resume()
        await station.kill()

    assert code == 0
