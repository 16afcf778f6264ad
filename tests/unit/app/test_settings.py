from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.mqtt.address import BrokerAddress
from station_app.settings import BleTransport, LogFormat, LogLevel, Origin, Secret, Settings, load_settings
from station_app.settings.given import NAMES, variable
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOLS = Path(__file__).parents[3] / "docs" / "protocols.md"
LONG = "canary" * 6


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    def load(**given: str) -> Settings:
        return load_settings({"HOME": str(tmp_path), "PATH": "/bin", **{f"STATION_{n}": v for n, v in given.items()}})

    return load


def test_nothing_has_to_be_given(load: Callable[..., Settings], tmp_path: Path) -> None:
    settings = load()
    data = tmp_path / ".local/share/station"

    assert settings.data_dir == data
    assert settings.database_url.reveal() == f"sqlite:///{data}/station.db"
    assert (settings.http_host, settings.http_port) == ("0.0.0.0", 3000)
    assert (settings.mqtt_host, settings.mqtt_port, settings.mqtt_url) == ("0.0.0.0", 1883, None)
    assert settings.embedded
    assert settings.mqtt_public_host.endswith(".local")
    assert settings.mqtt_client == "aiomqtt"
    assert settings.cloud_url is None
    assert settings.ble_transport is BleTransport.BLEAK
    assert settings.ble_service_uuid == "12c158d5-220f-4be9-b46a-a235f44c412a"
    assert settings.ble_characteristic_uuid == "85e4cb5a-4718-47e3-b363-b2d82655ee1e"
    assert settings.log_level is LogLevel.INFO
    assert (settings.station_id, settings.jwt_secret, settings.agent_token, settings.log_format) == (None,) * 4
    assert (settings.trusted_proxies, settings.device_types, settings.warnings) == ((), (), ())
    assert not settings.mqtt_allow_anonymous
    assert not settings.cloud_allow_plain
    assert not data.exists()


def test_every_name_of_the_documents_is_known_and_no_other() -> None:
    chapter = PROTOCOLS.read_text().partition("\n## 7. Settings")[2]
    table = "\n".join(line for line in chapter.splitlines() if line.startswith("| STATION_"))
    documented = {name for row in table.splitlines() for name in re.findall(r"STATION_[A-Z_]+", row.split("|")[1])}
    pairs = {"STATION_JWT_SECRET_FILE", "STATION_AGENT_TOKEN_FILE"}  # "(and `…_FILE`)"

    assert documented | pairs == {variable(name) for name in NAMES}


def test_every_name_tells_where_its_value_came_from(load: Callable[..., Settings]) -> None:
    origins = load(HTTP_PORT="3001", ID="").origins

    assert set(origins) == {variable(name) for name in NAMES}
    assert origins["STATION_HTTP_PORT"] is Origin.ENVIRONMENT
    assert origins["STATION_ID"] is Origin.DEFAULT
    assert origins["STATION_JWT_SECRET"] is Origin.GENERATED


def test_all_can_be_given_at_once(load: Callable[..., Settings], tmp_path: Path) -> None:
    settings = load(
        DATA_DIR=str(tmp_path / "data"),
        ID="box-1",
        HTTP_HOST="127.0.0.1",
        HTTP_PORT="8080",
        DATABASE_URL="postgresql+asyncpg://u:p@db/station",
        MQTT_URL="mqtt://me:p%40ss%2F@broker.local:1884",
        MQTT_HOST="::1",
        MQTT_PORT="1885",
        MQTT_PUBLIC_HOST="station.local",
        MQTT_ALLOW_ANONYMOUS="yes",
        MQTT_CLIENT="aiomqtt",
        CLOUD_HOST="cloud.example.org:8443",
        CLOUD_ALLOW_PLAIN="off",
        TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8,::1",
        BLE_SERVICE_UUID="12C158D5-220F-4BE9-B46A-A235F44C412B",
        BLE_CHARACTERISTIC_UUID="85e4cb5a-4718-47e3-b363-b2d82655ee1f",
        BLE_TRANSPORT="Virtual",
        JWT_SECRET=LONG,
        AGENT_TOKEN="agent-" * 7,
        LOG_LEVEL="DEBUG",
        LOG_FORMAT="json",
    )

    assert settings.data_dir == tmp_path / "data"
    assert settings.station_id == "box-1"
    assert settings.mqtt_url == BrokerAddress(host="broker.local", port=1884, user="me", password="p@ss/")
    assert settings.mqtt_allow_anonymous
    assert settings.cloud_url == "wss://cloud.example.org:8443"
    assert settings.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8", "::1/128")
    assert settings.ble_service_uuid == "12c158d5-220f-4be9-b46a-a235f44c412b"
    assert settings.ble_transport is BleTransport.VIRTUAL
    assert settings.jwt_secret == Secret(LONG)
    assert (settings.log_level, settings.log_format) == (LogLevel.DEBUG, LogFormat.JSON)
    assert not settings.embedded


def test_empty_counts_as_not_given(load: Callable[..., Settings]) -> None:
    assert load(**{name.upper(): "" for name in NAMES}) == load()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("STATION_HTTP_PROT", "STATION_HTTP_PORT"),
        ("STATION_DATABASE", "STATION_DATABASE_URL"),
        ("STATION_JWT_SECRETS", "STATION_JWT_SECRET"),
        ("STATION_http_port", "STATION_HTTP_PORT"),
        ("STATION_XQZJ", "protocols.md"),
        ("STATION_", "protocols.md"),
    ],
)
@pytest.mark.parametrize("value", ["", "canary-value"])
def test_an_unknown_name_is_told_with_the_likeliest_one(name: str, hint: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=f"{name}[. ].*{hint}") as refused:
        load_settings({name: value})
    assert "canary" not in str(refused.value)


def test_names_of_others_are_no_concern_of_ours() -> None:
    assert load_settings({"STATIONARY": "x", "MY_STATION_ID": "y"}).station_id is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("HTTP_PORT", text)
            for text in ("0", "65536", "-1", "+80", "80.0", "0x50", "１２", "1_000", " 80", "9" * 5000)
        ),
        ("MQTT_PORT", "mqtt"),
        *(("MQTT_ALLOW_ANONYMOUS", text) for text in ("2", "ja", "truee", "none")),
        ("CLOUD_ALLOW_PLAIN", "maybe"),
        *(("HTTP_HOST", text) for text in ("a b", "http://x", "[::1]", "x:80", "-x", "x..y", "x" * 64, "x\ny", "x/24")),
        *(("MQTT_HOST", text) for text in ("0.0.0.0\nallow_anonymous true", "*", "é.local")),
        ("MQTT_PUBLIC_HOST", "mqtt://x"),
        *(("ID", text) for text in ("+", "#", "a/b", "-a", "x" * 65, "é", "a b")),
        ("MQTT_CLIENT", "gmqtt"),
        ("BLE_TRANSPORT", "usb"),
        *(("BLE_SERVICE_UUID", text) for text in ("180f", "{12c158d5-220f-4be9-b46a-a235f44c412a}", "x" * 36)),
        ("BLE_CHARACTERISTIC_UUID", "12c158d5220f4be9b46aa235f44c412a"),
        *(("TRUSTED_PROXIES", text) for text in ("*", "localhost", "10.0.0.0/33", "10.0.0.1,,")),
        *(("CLOUD_HOST", text) for text in ("ws://example.org", "https://x", "x/path", "x:port", "u@x", "x?y", "x#y")),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_value_that_fits_not_is_named_with_what_would(load: Callable[..., Settings], name: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^STATION_{name} (has to|holds|may)") as refused:
        load(**{name: value})
    assert len(str(refused.value)) < 300


def test_settings_are_frozen(load: Callable[..., Settings]) -> None:
    with pytest.raises(AttributeError):
        load().http_port = 1  # type: ignore[misc]


def test_plain_text_to_the_cloud_is_for_the_loopback_or_when_allowed(load: Callable[..., Settings]) -> None:
    assert load(CLOUD_HOST="ws://127.0.0.1:9000").cloud_url == "ws://127.0.0.1:9000"
    assert load(CLOUD_HOST="ws://[::1]:9000").cloud_url == "ws://[::1]:9000"
    assert load(CLOUD_HOST="ws://localhost").cloud_url == "ws://localhost"
    assert load(CLOUD_HOST="ws://10.0.0.1", CLOUD_ALLOW_PLAIN="true").cloud_url == "ws://10.0.0.1"
    assert load(CLOUD_HOST="10.0.0.1", CLOUD_ALLOW_PLAIN="true").cloud_url == "wss://10.0.0.1"


def test_one_port_can_t_serve_two(load: Callable[..., Settings]) -> None:
    with pytest.raises(SettingInvalid, match=r"STATION_HTTP_PORT and STATION_MQTT_PORT are both 1883"):
        load(HTTP_PORT="1883")

    assert load(HTTP_PORT="1883", MQTT_URL="mqtt://h").http_port == 1883
    assert load(HTTP_PORT="1883", HTTP_HOST="127.0.0.1", MQTT_HOST="10.0.0.1").http_port == 1883


def test_to_let_in_devices_without_a_password_is_warned_of(load: Callable[..., Settings]) -> None:
    assert "play any" in load(MQTT_ALLOW_ANONYMOUS="true").warnings[0]


def test_the_clouds_certificates_are_looked_at_only_when_there_is_a_cloud(
    load: Callable[..., Settings], tmp_path: Path
) -> None:
    missing = str(tmp_path / "ca.pem")

    assert load(CLOUD_CA_FILE=missing).cloud_ca_file == Path(missing)
    with pytest.raises(SettingInvalid, match=r"ca\.pem doesn't exist"):
        load(CLOUD_CA_FILE=missing, CLOUD_HOST="cloud.example.org")


def test_paths_know_the_home_folder_and_the_current_one(load: Callable[..., Settings], tmp_path: Path) -> None:
    assert load(DATA_DIR="~/here").data_dir == tmp_path / "here"
    assert load(DATA_DIR="here").data_dir == Path.cwd() / "here"


def test_a_value_that_is_no_utf_8_is_refused(load: Callable[..., Settings]) -> None:
    with pytest.raises(SettingInvalid, match=r"^STATION_ID holds a character"):
        load(ID=os.fsdecode(b"box-\xff"))


@given(name=st.sampled_from(sorted(NAMES - {"config"})), value=st.text(max_size=50))
def test_whatever_is_given_is_taken_or_refused_by_a_sentence(name: str, value: str) -> None:
    with contextlib.suppress(SettingInvalid):
        assert load_settings({"HOME": "/nowhere", variable(name): value}).origins
