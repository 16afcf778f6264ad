from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dependency_injector import providers

from station_adapters.mosquitto.broker import ForeignBroker, MosquittoBroker
from station_app.container import Container, prepared
from station_app.settings import load_settings
from station_core.errors import SettingInvalid, StoreTaken

if TYPE_CHECKING:
    from pathlib import Path


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"STATION_DATA_DIR": str(folder / "data"), "HOME": str(folder), **more}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"STATION_MQTT_URL": "mqtt://127.0.0.1:1"},
        {"STATION_MQTT_ALLOW_ANONYMOUS": "true"},
        {"STATION_CLOUD_HOST": "cloud.example.org"},
        {"STATION_CLOUD_HOST": "ws://127.0.0.1:1"},
    ],
    ids=str,
)
async def test_every_provider_builds_and_builds_once(tmp_path: Path, more: dict[str, str]) -> None:
    with prepared(load_settings(environment(tmp_path, **more))) as container:
        names = [name for name, kind in Container.providers.items() if isinstance(kind, providers.Singleton)]
        built = {name: container.providers[name]() for name in names}
        again = {name: container.providers[name]() for name in names}
        await container.database().close()

    assert len(names) > 10
    assert all(again[name] is built[name] for name in names)


async def test_a_broker_by_url_is_nobodys_child(tmp_path: Path) -> None:
    settings = load_settings(environment(tmp_path, STATION_MQTT_URL="mqtt://127.0.0.1:1"))
    with prepared(settings) as container:
        broker, door = container.broker(), container.door()

    assert broker is None
    assert isinstance(door, ForeignBroker)


async def test_the_own_broker_is_the_door_too(tmp_path: Path) -> None:
    with prepared(load_settings(environment(tmp_path))) as container:
        broker, door = container.broker(), container.door()

    assert isinstance(broker, MosquittoBroker)
    assert door is broker


async def test_without_a_cloud_there_is_no_link(tmp_path: Path) -> None:
    with prepared(load_settings(environment(tmp_path))) as container:
        assert container.cloud() is None


async def test_certificates_that_are_none_end_the_start(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("no certificate")
    named = {"STATION_CLOUD_HOST": "cloud.example.org", "STATION_CLOUD_CA_FILE": str(authority)}

    with prepared(load_settings(environment(tmp_path, **named))) as container, pytest.raises(SettingInvalid) as invalid:
        container.cloud()
    assert str(authority) in str(invalid.value)


def test_a_folder_serves_one_station_at_a_time(tmp_path: Path) -> None:
    settings = load_settings(environment(tmp_path))
    with prepared(settings), pytest.raises(StoreTaken), prepared(settings):
        pass
    with prepared(settings) as container:
        kept = container.keys().jwt_secret

    assert kept.reveal() == (tmp_path / "data" / "jwt_secret").read_text().strip()


def test_nothing_secret_shows_itself(tmp_path: Path) -> None:
    settings = load_settings(environment(tmp_path, STATION_MQTT_URL="mqtt://me:canary@127.0.0.1:1"))
    with prepared(settings) as container:
        shown = repr(settings) + repr(container.keys()) + repr(settings.mqtt_url)
        secrets = ["canary", container.keys().jwt_secret.reveal(), container.keys().broker.reveal()]

    assert not [secret for secret in secrets if secret in shown]
