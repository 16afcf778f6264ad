from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
import pytest

from station_adapters.mqtt.address import BrokerAddress
from station_app.settings import Secret, Settings, load_settings
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    def load(**given: str) -> Settings:
        return load_settings({"HOME": str(tmp_path), "PATH": "/bin", **{f"STATION_{n}": v for n, v in given.items()}})

    return load


@pytest.mark.parametrize(
    "url",
    [
        "canary",
        "http://canary@host",
        "mqtt://user:can#ary@host",
        "mqtt://user:can/ary@host",
        "mqtt://user:can?ary@host",
        "mqtt://:canary@host",
        "mqtt://user:canary@",
        "mqtt://user:canary@host:0",
        "mqtt://user:canary@host:99999",
        "mqtt://user:canary@host:1883/path",
        "mqtt://user:canary@ho st",
        "mqtts://user:canary@[::1",
        "mqtt://user:canary\n@host",
        "MQTT+ws://canary@host",
    ],
)
def test_a_broker_url_that_fits_not_is_named_without_its_password(load: Callable[..., Settings], url: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^STATION_MQTT_URL ") as refused:
        load(MQTT_URL=url)
    assert "can" not in str(refused.value).replace("can't", "")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("embedded", None),
        ("mqtt://host", BrokerAddress(host="host", port=1883)),
        ("mqtts://host/", BrokerAddress(host="host", port=8883, tls=True)),
        ("mqtt://user@[::1]:1", BrokerAddress(host="::1", port=1, user="user")),
        ("mqtt://u%2Fser:@10.0.0.1", BrokerAddress(host="10.0.0.1", port=1883, user="u/ser", password="")),
    ],
)
def test_a_broker_is_the_own_or_one_by_url(
    load: Callable[..., Settings], url: str, address: BrokerAddress | None
) -> None:
    assert load(MQTT_URL=url).mqtt_url == address


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("sqlite:////var/lib/station/station.db", None),
        ("postgresql+asyncpg://u:p@h:5432/d?ssl=require", None),
        ("postgresql+asyncpg:///d?host=/run/postgresql", None),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://h/d", "postgresql+asyncpg://h/d"),
    ],
)
def test_a_database_is_sqlite_or_postgresql(load: Callable[..., Settings], url: str, kept: str | None) -> None:
    assert load(DATABASE_URL=url).database_url.reveal() == (kept or url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///relative-canary.db",
        "sqlite:////folder-canary/",
        "sqlite+aiosqlite:////canary.db",
        "mysql://u:canary@h/d",
        "postgresql+psycopg://u:canary@h/d",
        "postgresql+asyncpg://u:canary@h",
        "postgresql+asyncpg://u:canary@/d",
        "postgresql+asyncpg://u:can#ary@h/d",
        "postgresql+asyncpg://u:canary@h:port/d",
        "canary",
    ],
)
def test_another_database_is_refused_without_its_password(load: Callable[..., Settings], url: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^STATION_DATABASE_URL ") as refused:
        load(DATABASE_URL=url)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("name", ["JWT_SECRET", "AGENT_TOKEN"])
@pytest.mark.parametrize(
    "value", ["canary", "c" * 31, "canary" * 5 + "é", "canary with spaces and long enough", "c" * 40 + "é"]
)
def test_a_secret_that_is_too_short_or_unfit_stops_the_start(
    load: Callable[..., Settings], name: str, value: str
) -> None:
    with pytest.raises(SettingInvalid, match=rf"^STATION_{name} (is too short|has to be of ASCII)") as refused:
        load(**{name: value})
    assert value not in str(refused.value)


@pytest.mark.parametrize("name", ["JWT_SECRET", "AGENT_TOKEN"])
@pytest.mark.parametrize(
    "value",
    [
        "a-string-secret-at-least-256-bits-long",
        "your-256-bit-secret-your-256-bit-secret",
        "your_super_secret_jwt_key_here_0123456789",
        "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
        "dev-secret-change-in-production-please",
        "0" * 64,
        "abcd" * 16,
    ],
)
def test_a_secret_that_everybody_knows_stops_the_start(load: Callable[..., Settings], name: str, value: str) -> None:
    with pytest.raises(
        SettingInvalid, match=rf"^STATION_{name} is an example that everybody knows: `openssl"
    ) as refused:
        load(**{name: value})
    assert value not in str(refused.value)


def test_what_chance_makes_is_known_to_nobody(load: Callable[..., Settings]) -> None:
    for _ in range(200):
        load(JWT_SECRET=secrets.token_urlsafe(32), AGENT_TOKEN=secrets.token_hex(16))


def test_secrets_show_nowhere(load: Callable[..., Settings]) -> None:
    settings = load(
        JWT_SECRET="canary-" * 5,
        AGENT_TOKEN="canary-" * 6,
        MQTT_URL="mqtt://user:canary-@h",
        DATABASE_URL="postgresql+asyncpg://u:canary-@h/d",
    )
    shown = [repr(settings), str(settings), f"{settings.jwt_secret}", repr(settings.origins), repr(settings.mqtt_url)]

    assert not [text for text in shown if "canary" in text]
    with pytest.raises(TypeError):
        msgspec.json.encode(settings.jwt_secret)
    with pytest.raises(TypeError):
        settings.database_url.__reduce__()


def test_a_secret_equals_its_like_alone() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("\ud800") == Secret("\ud800")
