from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from station_app.settings import load_settings
from station_app.settings.document import StationToml, schema
from station_app.settings.given import NAMES, TABLES, variable
from station_app.settings.shown import shown, url_without_password

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.app.command import Terminal

LONG = "canary-" * 6
EVERYTHING_WRONG = """
http_prot = 80
mqtt_port = true
log_level = "loud"
jwt_secret = "canary"
agent_token_file = "missing"

[[device_types]]
id = "valve"
"""


def test_every_problem_is_told_at_once_and_the_likely_key_named(
    station: Terminal, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "station.toml").write_text(EVERYTHING_WRONG)
    monkeypatch.setenv("STATION_HTTP_HOTS", "::1")
    monkeypatch.setenv("STATION_DATABASE_URL", "mysql://u:canary@h/d")

    ended = station("config", "check")

    assert ended.code == 78
    assert ended.out.splitlines() == [
        "There is no setting STATION_HTTP_HOTS. Do you mean STATION_HTTP_HOST?",
        f"There is no setting http_prot in {data}/station.toml. Do you mean http_port?",
        f"mqtt_port in {data}/station.toml has to be a number.",
        f"agent_token_file in {data}/station.toml: {data}/missing doesn't exist.",
        "STATION_DATABASE_URL has to be sqlite:////path or postgresql+asyncpg://user:password@host:port/database.",
        (
            f"jwt_secret in {data}/station.toml is too short: a secret has at least 32 bytes; "
            "`openssl rand -hex 32` makes one."
        ),
        f"log_level in {data}/station.toml has to be one of debug, info, warning, error, critical, not “loud”.",
        "[[device_types]], table 1: Object missing required field `category`.",
    ]


def test_a_program_reads_the_problems_as_json(station: Terminal, data: Path) -> None:
    (data / "station.toml").write_text("http_prot = 80\n")

    ended = station("config", "check", "--json")

    assert ended.code == 78
    assert ended.json == {
        "ok": False,
        "config": f"{data}/station.toml",
        "problems": [f"There is no setting http_prot in {data}/station.toml. Do you mean http_port?"],
        "warnings": [],
    }


@pytest.mark.parametrize("content", ["id = ", "id = 1", '[[device_types]]\nid = "valve"', "http_port = 1883"])
def test_what_the_check_finds_is_what_stops_the_start(station: Terminal, data: Path, content: str) -> None:
    (data / "station.toml").write_text(content)
    checked, started = station("config", "check"), station("serve")

    assert (checked.code, started.code) == (78, 78)
    assert started.err == f"station: {checked.out}"


def test_settings_that_are_right_may_still_be_warned_of(
    station: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATION_MQTT_ALLOW_ANONYMOUS", "true")

    ended = station("config", "check")

    assert ended.code == 0
    assert ended.out.startswith("Warning: STATION_MQTT_ALLOW_ANONYMOUS is true")
    assert ended.out.endswith("The settings are right (there is no settings file).\n")
    assert not list(tmp_path.iterdir())


def test_every_setting_is_shown_with_where_it_came_from_and_without_secrets(
    station: Terminal, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "token").write_text(LONG)
    (data / "token").chmod(0o600)
    (data / "station.toml").write_text(f'jwt_secret = "{LONG}"\nagent_token_file = "token"\nhttp_port = 8080\n')
    monkeypatch.setenv("STATION_MQTT_URL", "mqtt://me:canary@h")
    monkeypatch.setenv("STATION_DATABASE_URL", "postgresql+asyncpg://me:canary@h/d?password=canary&ssl=require")
    monkeypatch.setenv("STATION_TRUSTED_PROXIES", "10.0.0.1,::1")

    told, text = station("config", "show", "--json"), station("config", "show")

    shown = {entry["name"]: (entry["value"], entry["source"]) for entry in told.json["settings"]}
    assert "canary" not in told.out + told.err + text.out + text.err
    assert set(shown) == {variable(name) for name in NAMES if not name.endswith("_file") or name == "cloud_ca_file"}
    assert shown["STATION_JWT_SECRET"] == ("…", f"{data}/station.toml")
    assert shown["STATION_AGENT_TOKEN"] == ("…", "file that STATION_AGENT_TOKEN_FILE names")
    assert shown["STATION_HTTP_PORT"] == (8080, f"{data}/station.toml")
    assert shown["STATION_MQTT_URL"] == ("mqtt://me:…@h:1883", "environment")
    assert shown["STATION_DATABASE_URL"] == (
        "postgresql+asyncpg://me:…@h/d?password=…&ssl=require",
        "environment",
    )
    assert shown["STATION_TRUSTED_PROXIES"] == (["10.0.0.1/32", "::1/128"], "environment")
    assert shown["STATION_LOG_LEVEL"] == ("info", "default")
    assert shown["STATION_CONFIG"] == (f"{data}/station.toml", "default")
    assert "STATION_HTTP_PORT                8080 " in text.out


def test_settings_that_are_wrong_are_not_shown(station: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATION_HTTP_PORT", "http")

    ended = station("config", "show")

    assert (ended.code, ended.out) == (78, "")
    assert ended.err.startswith("station: STATION_HTTP_PORT has to be a port")


@pytest.mark.parametrize(
    "url", ["sqlite:////tmp/x.db", "postgresql+asyncpg://u@h:5432/d", "postgresql+asyncpg:///d?host=/run/postgresql"]
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert url_without_password(url) == url


def test_the_schema_knows_every_key_of_the_file_and_no_other(station: Terminal) -> None:
    described = station("config", "schema", "--json").json

    assert set(described["properties"]) == NAMES - {"config"} | {TABLES}
    assert described["additionalProperties"] is False
    assert all("description" in property_ or "$ref" in str(property_) for property_ in described["properties"].values())
    assert json.loads(station("config", "schema").out) == described


def test_the_defaults_of_the_schema_are_those_of_the_station(tmp_path: Path) -> None:
    settings = load_settings({"HOME": str(tmp_path)})
    defaults = {
        name: property_["default"]
        for name, property_ in schema()["properties"].items()
        if "default" in property_ and name not in {"data_dir", "trusted_proxies", TABLES}
    }

    assert {name: shown(settings, variable(name)) for name in defaults} == defaults
    assert settings.data_dir == tmp_path / StationToml().data_dir.removeprefix("~/")
    assert settings.trusted_proxies == ()


def test_the_example_of_the_documents_fits_the_schemas_own_struct(station: Terminal, data: Path) -> None:
    example = '[[device_types]]\nid = "valve"\ncategory = "actuator"\nperiodic = false\n'
    (data / "station.toml").write_text(example)

    assert station("config", "check").code == 0
    assert set(tomllib.loads(example)[TABLES][0]) <= set(schema()["$defs"]["Table"]["properties"])
