"""The support bundle: everything about a station but its secrets."""

from __future__ import annotations

import io
import json
import logging
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.sql.migrations import upgrade
from station_app.cli.doctor import zipped
from station_app.container import prepared
from station_app.logs import LONGEST, REMEMBERED, REMEMBERED_SIZE, Remembering, recent, set_up
from station_app.settings import load_settings
from station_core.health import MQTT, Phase
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from station_app.container import Container
    from tests.unit.app.command import Terminal

CANARIES = {
    name: f"canary-{name}-0123456789-0123456789-0123456789"
    for name in (
        *("jwt", "agent", "database", "mqtt", "option", "wifi", "person", "bearer", "named", "field", "url", "local"),
        *("kept-jwt", "kept-agent", "kept-broker", "kept-sealing"),
    )
}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiIxIn0.c2lnbmF0dXJl"

pytestmark = pytest.mark.usefixtures("logging_as_it_was")


@pytest.fixture
def settings_of_canaries(tmp_path: Path) -> dict[str, str]:
    database = f"postgresql+asyncpg://me:{CANARIES['database']}@127.0.0.1:{free_port()}/home"
    return {
        "HOME": str(tmp_path),
        "STATION_DATA_DIR": str(tmp_path / "data"),
        "STATION_DATABASE_URL": database,
        "STATION_MQTT_URL": f"mqtts://me:{CANARIES['mqtt']}@127.0.0.1:{free_port()}",
        "STATION_JWT_SECRET": CANARIES["jwt"],
        "STATION_AGENT_TOKEN": CANARIES["agent"],
        "STATION_BLE_TRANSPORT": "off",
    }


def folder_of_canaries(folder: Path) -> None:
    """Secrets of earlier starts, which the settings of this one hide, and the broker's."""
    (folder / "mosquitto").mkdir(parents=True)
    folder.chmod(0o700)
    for name, secret in (("broker", "kept-broker"), ("sealing", "kept-sealing")):
        (folder / name).write_text(CANARIES[secret])
        (folder / name).chmod(0o600)
    (folder / "mosquitto" / "mosquitto.conf").write_text("listener 1883\n")
    (folder / "mosquitto" / "acl").write_text("user station/own\n")
    (folder / "mosquitto" / "passwords").write_text(f"lamp:$7$101${CANARIES['local']}$x\nstation/own:y\n")


def log_canaries() -> None:
    log = logging.getLogger("station.test")
    log.warning("password=%s", CANARIES["person"])
    log.warning("wifi", extra={"ssid": "home", "wifiPassword": CANARIES["wifi"]})
    log.warning("asked with Authorization: Bearer %s", CANARIES["bearer"])
    log.warning('told {"deviceToken": "%s"}', CANARIES["named"])
    log.warning("nested", extra={"payload": {"device_token": CANARIES["field"]}})
    log.warning("lost mqtt://me:%s@broker", CANARIES["url"])
    log.warning("%s is what somebody wrote by mistake, %s too", CANARIES["kept-sealing"], CANARIES["jwt"])
    log.warning("a token %s", JWT)
    try:
        json.loads("{")
    except ValueError:
        log.exception("failed with secret=%s", CANARIES["option"])


def leaks(documents: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (name, secret)
        for name, text in documents.items()
        for secret in (*CANARIES.values(), JWT)
        if secret in text or secret in json.dumps(text)
    ]


async def documents_of(container: Container) -> dict[str, str]:
    found: dict[str, str] = await container.desk().carry_out("bundle", {})
    await container.database().close()
    return found


@pytest.mark.parametrize("form", ["json", "console"])
async def test_no_secret_of_a_running_station_is_in_it(
    tmp_path: Path, settings_of_canaries: dict[str, str], form: str
) -> None:
    folder_of_canaries(tmp_path / "data")
    with prepared(load_settings(settings_of_canaries)) as container:
        set_up(level="debug", form=form)
        log_canaries()
        container.home().health.phase = Phase.SERVING
        container.home().health.tell(MQTT, up=False, detail=f"mqtt://me:{CANARIES['mqtt']}@broker is away")
        found = await documents_of(container)

    assert leaks(found) == []
    assert {"log.txt", "metrics.txt", "health.json", "broker/passwords"} <= set(found)
    assert found["broker/passwords"] == "lamp:***\nstation/own:***\n"
    assert "what somebody wrote by mistake" in found["log.txt"]
    assert "\x1b" not in found["log.txt"]
    assert all(json.loads(text) is not None for name, text in found.items() if name.endswith(".json"))


async def test_without_a_running_station_it_tells_what_can_be_known(
    tmp_path: Path, settings_of_canaries: dict[str, str]
) -> None:
    folder_of_canaries(tmp_path / "data")
    logging.getLogger().handlers[:] = []
    with prepared(load_settings(settings_of_canaries)) as container:
        found = await documents_of(container)

    assert leaks(found) == []
    assert set(found) == {
        *("README.txt", "about.json", "settings.json", "doctor.json", "migrations.json", "disk.json"),
        *("broker/mosquitto.conf", "broker/acl", "broker/passwords"),
    }
    assert json.loads(found["about.json"])["running"] is False
    assert json.loads(found["doctor.json"])["secrets"]["state"] == "ok"
    assert "error" in json.loads(found["migrations.json"])
    names = {one["name"]: one["value"] for one in json.loads(found["settings.json"])["settings"]}
    assert names["STATION_JWT_SECRET"] == "…"
    assert names["STATION_MQTT_URL"].startswith("mqtts://me:***@127.0.0.1")


def bundle_in(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_command_writes_it_for_the_operator_alone(station: Terminal, data: Path, tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("of last week")

    ended = station("doctor", "--bundle", str(tmp_path / "b.zip"), "--json")

    found = bundle_in(tmp_path / "b.zip")
    assert ended.code in {0, 1}
    assert "b.zip holds README.txt" in ended.err
    assert json.loads(found["station/doctor.json"]).keys() == json.loads(ended.out).keys()
    assert (tmp_path / "b.zip").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".b.zip")] == []


@pytest.mark.parametrize("where", [".", "nowhere/b.zip"])
def test_a_place_where_it_can_not_be_is_named(station: Terminal, data: Path, tmp_path: Path, where: str) -> None:
    ended = station("doctor", "--bundle", str(tmp_path / where))

    assert ended.code == 64
    assert "can't be a file" in ended.err


def test_a_box_whose_clock_is_in_1970_makes_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", lambda: time.gmtime(0))

    assert zipfile.ZipFile(io.BytesIO(zipped({"a.txt": "b"}))).read("station/a.txt") == b"b"


async def test_the_state_of_the_tables_is_told(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "STATION_DATA_DIR": str(tmp_path / "data")}
    with prepared(load_settings(environment)) as container:
        await upgrade(container.database(), "0001_first")
        told = json.loads((await documents_of(container))["migrations.json"])

    assert told["present"] == "0001_first" != told["newest"]


def test_what_is_remembered_of_the_log_is_bounded() -> None:
    handler = Remembering(io.StringIO())
    logging.getLogger().handlers[:] = [handler]
    for number in range(2 * REMEMBERED):
        logging.getLogger().error("line %d", number)
    few = handler.lines
    for _ in range(REMEMBERED):
        logging.getLogger().error("x" * 2 * LONGEST)

    assert few == [f"line {number}" for number in range(REMEMBERED, 2 * REMEMBERED)]
    assert sum(map(len, handler.lines)) <= REMEMBERED_SIZE
    assert recent() == handler.lines
