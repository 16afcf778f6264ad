"""The doctor over a real data folder and its SQLite, beside no running station."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.memory.clock import MemoryClock
from station_adapters.sql.migrations import upgrade
from station_app.container import prepared
from station_app.orders import doctor as doctors
from station_app.settings import load_settings
from station_core.errors import NotFound
from station_core.health import BLE, MQTT
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from station_app.container import Container


@contextmanager
def station(folder: Path, **more: str) -> Iterator[Container]:
    environment = {
        "STATION_DATA_DIR": str(folder / "data"),
        "HOME": str(folder),
        "STATION_BLE_TRANSPORT": "off",
        **more,
    }
    with prepared(load_settings(environment)) as container:
        yield container


async def finding(container: Container, part: str) -> Any:
    """What the doctor says of a part, asked as the command line asks."""
    try:
        return (await container.desk().carry_out_offline("doctor", {"part": part}))[part]
    finally:
        await container.database().close()


async def test_a_new_station_has_nothing_that_fails_and_every_part_a_finding(tmp_path: Path) -> None:
    with station(tmp_path) as container:
        found = await container.desk().carry_out("doctor", {})
        await container.database().close()

    assert {name: one["state"] for name, one in found.items()} == {
        **dict.fromkeys(("database", "broker", "secrets", "disk", "clock"), "ok"),
        "migrations": "warn",
        "ble": "off",
        "cloud": "off",
    }
    assert all(one["detail"] for one in found.values())


async def test_a_part_that_there_is_not_is_named(tmp_path: Path) -> None:
    with station(tmp_path) as container, pytest.raises(NotFound, match="flux"):
        await finding(container, "flux")


@pytest.mark.parametrize(("revision", "state"), [("head", "ok"), ("0001_first", "warn"), (None, "warn")])
async def test_tables_are_new_or_will_be(tmp_path: Path, revision: str | None, state: str) -> None:
    with station(tmp_path) as container:
        if revision is not None:
            await upgrade(container.database(), revision)

        assert (await finding(container, "migrations"))["state"] == state


@pytest.mark.parametrize("part", ["database", "migrations"])
async def test_a_database_that_is_away_fails_without_telling_its_password(tmp_path: Path, part: str) -> None:
    url = f"postgresql://me:canary@127.0.0.1:{free_port()}/home"
    with station(tmp_path, STATION_DATABASE_URL=url) as container:
        found = await finding(container, part)

    assert found["state"] == "fail"
    assert found["todo"]
    assert "canary" not in str(found)


async def test_a_broker_by_url_that_is_away_fails_without_telling_its_password(tmp_path: Path) -> None:
    with station(tmp_path, STATION_MQTT_URL=f"mqtt://me:canary@127.0.0.1:{free_port()}") as container:
        found = await finding(container, "broker")

    assert found["state"] == "fail"
    assert "canary" not in str(found)


@pytest.mark.parametrize(("up", "state"), [(True, "ok"), (False, "fail")])
async def test_of_a_running_station_its_own_word_counts(tmp_path: Path, up: bool, state: str) -> None:  # noqa: FBT001
    with station(tmp_path) as container:
        container.home().health.tell(MQTT, up=up, detail="refused")

        assert (await finding(container, "broker"))["state"] == state


async def test_a_secret_that_others_can_read_fails(tmp_path: Path) -> None:
    with station(tmp_path) as container:
        container.keys()
        (tmp_path / "data" / "jwt_secret").chmod(0o640)
        found = await finding(container, "secrets")

    assert found["state"] == "fail"
    assert found["todo"].startswith("chmod 600")


@pytest.mark.parametrize(("free", "state"), [(2**30, "ok"), (2**28, "warn"), (2**20, "fail")])
async def test_room_on_the_disk_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with station(tmp_path) as container:
        assert (await finding(container, "disk"))["state"] == state


@pytest.mark.parametrize(("year", "state"), [(1970, "fail"), (2027, "ok"), (2099, "fail")])
async def test_a_clock_that_can_not_be_right_fails(tmp_path: Path, year: int, state: str) -> None:
    with station(tmp_path) as container:
        clock = MemoryClock()
        clock.wall = datetime(year, 1, 2, tzinfo=UTC)
        container.home().clock = clock

        assert (await finding(container, "clock"))["state"] == state


@pytest.mark.parametrize(("radios", "state"), [(["hci0"], "ok"), ([], "warn")])
async def test_a_radio_is_there_or_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, radios: list[str], state: str
) -> None:
    folder = tmp_path / "ble"
    folder.mkdir()
    for radio in radios:
        (folder / radio).mkdir()
    monkeypatch.setattr(doctors, "RADIOS", folder)
    with station(tmp_path, STATION_BLE_TRANSPORT="bleak") as container:
        assert (await finding(container, "ble"))["state"] == state


@pytest.mark.parametrize(("up", "state"), [(None, "off"), (True, "ok"), (False, "warn")])
async def test_a_cloud_that_is_away_is_no_failure(tmp_path: Path, up: bool | None, state: str) -> None:  # noqa: FBT001
    with station(tmp_path, STATION_CLOUD_HOST="cloud.example.org") as container:
        if up is not None:
            container.home().health.tell(doctors.CLOUD, up=up)

        assert (await finding(container, "cloud"))["state"] == state


async def test_a_claim_whose_key_is_gone_is_a_failure_and_the_claim_stays(tmp_path: Path) -> None:
    cloud = {"STATION_CLOUD_HOST": "cloud.example.org"}
    with station(tmp_path, **cloud) as container:
        await upgrade(container.database())
        claim = container.home().claim
        await claim.load()
        before = await claim.claimed("the token", by=claim.standing)
        await container.database().close()
    key = tmp_path / "data" / "sealing"
    kept = key.read_bytes()
    key.unlink()
    with station(tmp_path, **cloud) as container:
        await container.home().claim.load()
        found = await finding(container, "cloud")
    key.write_bytes(kept)
    with station(tmp_path, **cloud) as container:
        await container.home().claim.load()
        await container.database().close()

        assert container.home().claim.standing == before
    assert (found["state"], found["todo"]) == ("fail", doctors.UNSEAL)


async def test_beside_a_running_station_the_radio_s_own_word_counts(tmp_path: Path) -> None:
    with station(tmp_path, STATION_BLE_TRANSPORT="bridge") as container:
        health = container.home().health
        health.tell(BLE, up=False, detail="No adapter.")
        down = await container.desk().carry_out("doctor", {"part": "ble"})
        health.tell(BLE, up=True)
        up = await container.desk().carry_out("doctor", {"part": "ble"})
        await container.database().close()

    assert (down["ble"]["state"], up["ble"]["state"]) == ("warn", "ok")
    assert down["ble"]["detail"].startswith("No adapter.")
