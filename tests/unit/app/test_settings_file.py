from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from station_adapters.mqtt.address import BrokerAddress
from station_app.settings import Origin, Secret, Settings, load_settings
from station_app.settings.given import NAMES, SECRETS, variable
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = "secret-canary-" * 3
FITTING = {
    "database_url": "postgresql+asyncpg://u:p@h/d",
    "mqtt_url": "mqtt://u:p@h",
    "jwt_secret": LONG,
    "agent_token": LONG,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / ".local/share/station"
    folder.mkdir(parents=True)
    return folder


def load(home: Path, **given: str) -> Settings:
    return load_settings({"HOME": str(home), **{f"STATION_{name.upper()}": text for name, text in given.items()}})


def private(path: Path, content: str) -> Path:
    path.write_text(content)
    path.chmod(0o600)
    return path


def shown(settings: Settings, name: str) -> object:
    value = getattr(settings, name)
    return value.reveal() if isinstance(value, Secret) else value


def test_the_file_in_the_data_folder_is_read(tmp_path: Path, data: Path) -> None:
    (data / "station.toml").write_text(
        'id = "box-1"\nhttp_port = 8080\nmqtt_allow_anonymous = true\nlog_level = ""\n'
        'trusted_proxies = ["10.0.0.1", "::1"]\n'
    )

    settings = load(tmp_path)

    assert settings.config == data / "station.toml"
    assert (settings.station_id, settings.http_port, settings.mqtt_allow_anonymous) == ("box-1", 8080, True)
    assert settings.trusted_proxies == ("10.0.0.1/32", "::1/128")
    assert settings.origins["STATION_HTTP_PORT"] is Origin.FILE
    assert settings.origins["STATION_LOG_LEVEL"] is Origin.DEFAULT


def test_the_environment_lies_over_the_file(tmp_path: Path, data: Path) -> None:
    (data / "station.toml").write_text('id = "box-1"\nhttp_port = 8080\n')

    settings = load(tmp_path, http_port="8081")

    assert (settings.station_id, settings.http_port) == ("box-1", 8081)
    assert settings.origins["STATION_HTTP_PORT"] is Origin.ENVIRONMENT


def test_a_named_file_is_read_and_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('data_dir = "data"\n')

    settings = load(tmp_path, config=str(tmp_path / "mine.toml"))

    assert settings.data_dir == tmp_path / "data"
    assert settings.origins["STATION_CONFIG"] is Origin.ENVIRONMENT
    with pytest.raises(SettingInvalid, match=r"missing\.toml doesn't exist"):
        load(tmp_path, config="~/missing.toml")
    with pytest.raises(SettingInvalid, match="is a folder"):
        load(tmp_path, config="~")


def test_the_file_of_a_data_folder_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_text("http_port = 8080\n")

    assert load(tmp_path, data_dir=str(tmp_path)).http_port == 8080


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("http_prot = 1", r"There is no setting http_prot in .*station\.toml\. Do you mean http_port\?"),
        ("STATION_HTTP_PORT = 1", r"There is no setting STATION_HTTP_PORT in .*\. Do you mean http_port\?"),
        ("[http]\nport = 1", r"There is no setting http in .* Do you mean http_"),
        ("[[device_type]]", r"Do you mean device_types\?"),
        ("[device_types]", r"write \[\[device_types\]\]"),
        ('config = "x"', "can't name another"),
        ("http_port = true", "http_port in .* has to be a number"),
        ("http_port = 80.5", "http_port in .* has to be a number"),
        ("http_port = 0", "http_port in .* has to be a port"),
        ("mqtt_allow_anonymous = 1", "has to be true or false"),
        ("id = 7", "id in .* has to be a text in quotes"),
        ("id = 2026-01-01", "id in .* has to be a text in quotes"),
        ('id = ["a"]', "id in .* has to be a text in quotes"),
        ("trusted_proxies = [1]", "trusted_proxies in .* has to be"),
        ('id = "a\\u0000"', "can't be printed"),
        ("id = ", "is no TOML"),
        ('id = "a"\nid = "b"', "is no TOML"),
        ("x = " + "[" * 5_000, "is no TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_told(tmp_path: Path, data: Path, line: str, sentence: str) -> None:
    (data / "station.toml").write_text(line + "\n")

    with pytest.raises(SettingInvalid, match=sentence):
        load(tmp_path)


def test_a_file_that_is_no_utf_8_is_told(tmp_path: Path, data: Path) -> None:
    (data / "station.toml").write_bytes(b'id = "\xff"')

    with pytest.raises(SettingInvalid, match="UTF-8"):
        load(tmp_path)


def test_what_is_broken_tells_no_secret(tmp_path: Path, data: Path) -> None:
    for line in (
        'jwt_secret = "canary',
        'jwt_secret = "canary" canary',
        'jwt_secret = "canary"',
        "jwt_secret = canary",
    ):
        (data / "station.toml").write_text(line + "\n")

        with pytest.raises(SettingInvalid) as refused:
            load(tmp_path)
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_may_come_in_a_file_of_its_own(tmp_path: Path, name: str, ending: str) -> None:
    path = private(tmp_path / "its-own", FITTING[name] + ending)

    settings = load(tmp_path, **{f"{name}_file": str(path)})

    given_at_once = load(tmp_path, **{name: FITTING[name]})
    assert shown(settings, name) == shown(given_at_once, name)
    assert settings.origins[f"STATION_{name.upper()}"] is Origin.FILE
    assert settings.origins[f"STATION_{name.upper()}_FILE"] is Origin.ENVIRONMENT


def test_the_settings_file_may_name_it_beside_itself(tmp_path: Path, data: Path) -> None:
    private(data / "token", LONG)
    (data / "station.toml").write_text('agent_token_file = "token"\n')

    assert load(tmp_path).agent_token == Secret(LONG)
    assert load(tmp_path).warnings == ()


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may read everything: be somebody else for the moment."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(12_345)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_secrets_file_that_the_station_cannot_read_is_told(tmp_path: Path) -> None:
    path = private(tmp_path / "its-own", LONG)
    path.chmod(0)

    with ordinary_user(), pytest.raises(SettingInvalid) as refused:
        load(tmp_path, data_dir="/nobody", jwt_secret_file=str(path))

    assert str(refused.value) == (
        f"STATION_JWT_SECRET_FILE: {path} may not be used by the user that station runs as: change its permissions."
    )


@pytest.mark.parametrize("permissions", [0o644, 0o604, 0o660])
def test_a_secrets_file_that_others_can_read_is_refused_with_what_to_do(tmp_path: Path, permissions: int) -> None:
    path = private(tmp_path / "its-own", LONG)
    path.chmod(permissions)

    with pytest.raises(SettingInvalid, match=r"^STATION_JWT_SECRET_FILE: .*its-own is open to other users: chmod 600"):
        load(tmp_path, jwt_secret_file=str(path))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "doesn't exist"),
        ("", "is empty"),
        ("\n", "is empty"),
        ("canary\n", "too short"),
        ("c" * 70_000, "too large"),
    ],
)
def test_a_secrets_file_without_a_secret_is_told(tmp_path: Path, content: str | None, sentence: str) -> None:
    path = tmp_path / "its-own"
    if content is not None:
        private(path, content)

    with pytest.raises(SettingInvalid, match=f"^STATION_JWT_SECRET_FILE.*{sentence}") as refused:
        load(tmp_path, jwt_secret_file=str(path))
    assert "canary" not in str(refused.value)


def test_a_secrets_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = private(tmp_path / "its-own", "")
    path.write_bytes(b"\xff" * 40)

    with pytest.raises(SettingInvalid, match="UTF-8"):
        load(tmp_path, jwt_secret_file=str(path))


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_both_ways_at_once_are_refused(tmp_path: Path, data: Path, name: str) -> None:
    path = private(tmp_path / "its-own", FITTING[name])

    with pytest.raises(SettingInvalid, match=f"Both STATION_{name.upper()} and STATION_{name.upper()}_FILE are given"):
        load(tmp_path, **{name: FITTING[name], f"{name}_file": str(path)})

    (data / "station.toml").write_text(f'{name} = "{FITTING[name]}"\n{name}_file = "{path}"\n')
    with pytest.raises(SettingInvalid, match=f"Both {name} in"):
        load(tmp_path)


def test_outside_either_way_hides_both_inside(tmp_path: Path, data: Path) -> None:
    (data / "station.toml").write_text('mqtt_url_file = "/missing"\n')
    assert load(tmp_path, mqtt_url="mqtt://h").mqtt_url == BrokerAddress(host="h", port=1883)

    (data / "station.toml").write_text('mqtt_url = "mqtt://inside"\n')
    path = private(tmp_path / "its-own", "mqtt://outside")
    assert load(tmp_path, mqtt_url_file=str(path)).mqtt_url == BrokerAddress(host="outside", port=1883)


def test_a_secret_in_a_settings_file_that_all_can_read_is_warned_of(tmp_path: Path) -> None:
    path = private(tmp_path / "mine.toml", f'jwt_secret = "{LONG}"\nhttp_port = 8080\n')
    assert load(tmp_path, config=str(path)).warnings == ()

    path.chmod(0o644)
    assert [warning.partition(" in ")[0] for warning in load(tmp_path, config=str(path)).warnings] == ["jwt_secret"]


def test_every_name_but_config_can_stand_in_the_file(tmp_path: Path, data: Path) -> None:
    fitting = {
        **FITTING,
        **{f"{name}_file": "" for name in FITTING},
        "data_dir": str(data),
        "id": "box-1",
        "http_host": "h",
        "http_port": 1,
        "mqtt_host": "h",
        "mqtt_port": 2,
        "mqtt_public_host": "h",
        "mqtt_allow_anonymous": False,
        "mqtt_client": "aiomqtt",
        "cloud_host": "h",
        "cloud_ca_file": "station.toml",
        "cloud_allow_plain": False,
        "trusted_proxies": "none",
        "ble_service_uuid": "12c158d5-220f-4be9-b46a-a235f44c412a",
        "ble_characteristic_uuid": "12c158d5-220f-4be9-b46a-a235f44c412a",
        "ble_transport": "off",
        "log_level": "info",
        "log_format": "json",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in fitting.items()]
    (data / "station.toml").write_text("\n".join(lines))

    settings = load(tmp_path)

    assert set(fitting) == NAMES - {"config"}
    assert settings.cloud_ca_file == data / "station.toml"
    assert {settings.origins[variable(name)] for name, value in fitting.items() if value != ""} == {Origin.FILE}
