"""What README.md and docs/ tell to type is typed, against real servers; what can't be is marked and counted."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import aiomqtt
import pytest

from station_app.settings import load_settings
from station_app.settings.given import NAMES, variable
from tests.servers.mosquitto import Mosquitto
from tests.system import stand_ins
from tests.system.living import StationProcess, station_in
from tests.system.pages import ROOT, Block, blocks, of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.system

RUN: Final = {
    "README.md": {"sh"},
    "docs/embedding.md": {"python"},
    "docs/operating.md": {"sh", "sql", "ini", "conf", "acl"},
    "docs/protocols.md": {"toml"},
}
"""Page and kinds that a test below runs; `text` is nothing to run."""
NOT_RUN: Final = {"README.md": 4, "docs/cloud.md": 1, "docs/operating.md": 6}
"""How many blocks of a page are marked `no-run: reason`."""
README_OWNER: Final = {"email": "me@example.org", "password": "correct horse battery"}


def where(block: Block) -> str:
    return f"{block.page}:{block.line} {block.kind}"


def test_every_block_is_run_or_says_why_not() -> None:
    astray = [
        where(block)
        for block in blocks()
        if block.kind != "text" and block.no_run is None and block.kind not in RUN.get(block.page, ())
    ]

    assert astray == []
    assert Counter(block.page for block in blocks() if block.no_run is not None) == NOT_RUN
    assert "" not in {block.no_run for block in blocks()}


async def typed(block: Block, station: StationProcess, **given: str) -> str:
    """Type the block into a shell, with the station's ports in place of the usual ones; return what it printed."""
    bin_ = station.folder / "bin"
    stand_ins.provide(bin_, station.mqtt_port)
    path = f"{bin_}:{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        block.text.replace("127.0.0.1:3000", f"127.0.0.1:{station.http_port}"),
        cwd=station.folder,
        env={"PATH": path, "HOME": str(station.folder), **given},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        printed, _ = await shell.communicate()
    assert shell.returncode == 0, f"{where(block)}: {printed.decode()}"
    return printed.decode()


async def test_a_newcomer_s_first_steps_lead_to_a_lamp_that_shines(tmp_path: Path) -> None:
    station = StationProcess(tmp_path)
    lamp: dict[str, str] = {}
    try:
        await station.start()
        for block in of("README.md", "sh"):
            if "$DEVICE_TOKEN" in block.text and not lamp:
                answer = await station.call("POST", "/api/auth/login", json=README_OWNER)
                station.token = answer.json()["accessToken"]
                lamp = await station.add("lamp")
            await typed(block, station, DEVICE_TOKEN=lamp.get("deviceToken", ""))
        device = await eventual_state(station, lamp["id"])
    finally:
        if station.process is not None:
            await station.stop()

    assert device == {"on": True, "brightness": 40}


async def eventual_state(station: StationProcess, device_id: str) -> object:
    async with asyncio.timeout(20):
        while not (state := (await station.device(device_id))["lastKnownState"]):
            await asyncio.sleep(0.02)
    return state


async def test_a_backup_that_was_made_as_told_is_a_station_again(tmp_path: Path) -> None:
    folder, restored = tmp_path / "first", tmp_path / "second"
    folder.mkdir()
    restored.mkdir()
    async with station_in(folder) as station:
        lamp = await station.add("lamp")
        printed = await operated(station, restored / "data", lamp["deviceToken"])
        await station.stop()
    async with station_in(restored) as again:
        found = await again.device(lamp["id"])

    assert "ok\n" in printed
    assert found["externalId"] == "lamp"
    assert (restored / "data" / "broker").read_bytes() == (folder / "data" / "broker").read_bytes()


async def operated(station: StationProcess, restored: Path, token: str) -> str:
    """Type all of docs/operating.md, in its order."""
    given = {
        "DIR": str(station.folder),
        "BACKUP": str(station.folder / "backup"),
        "RESTORED": str(restored),
        "STATION_DATA_DIR": str(station.folder / "data"),
        "DEVICE_TOKEN": token,
        "TOKEN": station.token,
    }
    return "".join([await typed(block, station, **given) for block in of("docs/operating.md", "sh")])


async def test_the_database_and_the_broker_that_are_told_serve_a_station(tmp_path: Path, postgres: Postgres) -> None:
    operator = StationProcess(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    secrets = [block for block in of("docs/operating.md", "sh") if "$DIR" in block.text]
    for block in secrets:
        await typed(block, operator, DIR=str(tmp_path), DEVICE_TOKEN="token")
    url = tmp_path / "database-url"
    url.write_text(url.read_text().replace("127.0.0.1/", f"{postgres.host}:{postgres.port}/"))
    await for_postgres(postgres, of("docs/operating.md", "sql")[0].text)
    try:
        async with Mosquitto(*broker_lines(tmp_path)) as broker:
            address = broker.url.replace("mqtt://", "mqtt://station:change-me@")
            more = {"STATION_MQTT_URL": address, "STATION_DATABASE_URL_FILE": str(url)}
            async with station_in(tmp_path, **more) as station:
                lamp = await station.add("lamp")
                await published(broker, "station/s1/device/lamp/state", '{"state":{"on":true}}')
                state = await eventual_state(station, lamp["id"])
                ready = await station.call("GET", "/health/ready")
                await station.stop()
    finally:
        await for_postgres(postgres, "DROP DATABASE station WITH (FORCE); DROP ROLE station;")

    assert state == {"on": True}
    assert ready.status_code == 200


async def for_postgres(postgres: Postgres, statements: str) -> None:
    for statement in filter(None, map(str.strip, statements.split(";"))):
        await postgres.execute(statement)


def broker_lines(folder: Path) -> list[str]:
    """The page's configuration, with its files in the folder."""
    (folder / "acl").write_text(of("docs/operating.md", "acl")[0].text)
    (folder / "held").mkdir()
    text = of("docs/operating.md", "conf")[0].text
    for told, here in {"/etc/mosquitto": folder, "/var/lib/mosquitto": folder / "held"}.items():
        text = text.replace(told, str(here))
    return [line for line in text.splitlines() if not line.startswith("listener ")]  # the rig has one of its own


async def published(broker: Mosquitto, topic: str, payload: str) -> None:
    """As the lamp; returns when the broker has it."""
    async with aiomqtt.Client(broker.host, broker.port, username="lamp", password="token", identifier="lamp") as lamp:
        await lamp.publish(topic, payload, qos=1)


@pytest.mark.parametrize("block", of("docs/operating.md", "ini"), ids=where)
def test_the_settings_that_are_told_are_settings(block: Block) -> None:
    names = {line.partition("=")[0] for line in block.text.splitlines()}

    assert names
    assert names <= {variable(name) for name in NAMES}


@pytest.mark.parametrize("block", of("docs/protocols.md", "toml"), ids=where)
def test_the_settings_file_that_is_told_is_one(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(block.text)
    settings = load_settings({"HOME": str(tmp_path), "STATION_CONFIG": str(path)})

    assert [kind.id for kind in settings.device_types] == ["valve"]


@pytest.mark.parametrize("block", of("docs/embedding.md", "python"), ids=where)
async def test_the_program_that_is_told_runs(block: Block) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", block.text, env={"PYTHONPATH": str(ROOT / "src")}
    )
    async with asyncio.timeout(30):
        code = await program.wait()

    assert code == 0
