from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from station_app.logs import set_level, set_up
from station_app.masking import DEEPEST, masked
from station_core.correlation import request_id
from station_core.errors import Malformed

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiIxIn0.c2lnbmF0dXJl"
CANARY = "tweety"

pytestmark = pytest.mark.usefixtures("logging_as_it_was")


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_of_json_has_its_time_level_logger_event_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(level="info", form="json")
    logging.getLogger("station.test").warning("it %s", "happened", extra={"worker": "link"})

    [line] = logged(capsys)

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "it happened", "level": "warning", "logger": "station.test", "worker": "link"}


def test_what_is_logged_for_a_request_bears_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(level="info", form="json")
    token = request_id.set("abc-1")
    logging.getLogger("station.test").info("within")
    request_id.reset(token)
    logging.getLogger("station.test").info("without")

    within, without = logged(capsys)

    assert within["request_id"] == "abc-1"
    assert "request_id" not in without


def test_the_level_can_be_changed_while_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(level="warning", form="json")
    log = logging.getLogger("station.test")
    log.debug("before")
    set_level("DEBUG")
    log.debug("while")
    set_level("error")
    log.warning("after")
    with pytest.raises(Malformed, match="debug"):
        set_level("loud")

    assert [line["event"] for line in logged(capsys)] == ["while"]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "extra",
    [
        {"password": CANARY},
        {"station_token": CANARY},
        {"clientSecret": CANARY},
        {"Authorization": f"Basic {CANARY}"},
        {"set-cookie": CANARY},
        {"settings": {"mqtt": {"passwd": CANARY}}},
        {"settings": [{"api_key": CANARY}]},
        {"url": f"mqtt://station:{CANARY}@broker:1883"},
        {"url": f"postgresql+asyncpg://me:pa/ss@{CANARY}@host/db"},
        {"reason": f"can't reach https://u:{CANARY}@host/x?y=1"},
        {"reason": f"bearer {CANARY}"},
        {"reason": f'{{"password": "{CANARY} {CANARY}"}}'},
        {"reason": f"GET /ws?access_token={CANARY}&x=1"},
        {"reason": f"Authorization: Basic {CANARY}"},
        {"body": f'{{"refreshToken":"{CANARY}"}}'.encode()},
        {"error": ValueError(f"secret={CANARY}")},
    ],
    ids=str,
)
def test_no_secret_gets_into_the_log(capsys: pytest.CaptureFixture[str], form: str, extra: dict[str, object]) -> None:
    set_up(level="info", form=form)
    logging.getLogger("station.test").info("look", extra=extra)

    line = capsys.readouterr().err

    assert "look" in line
    assert "***" in line
    assert CANARY not in line


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_gets_into_the_log_by_its_sentence_or_a_traceback(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    set_up(level="info", form=form)
    log = logging.getLogger("station.test")
    log.info("token %s", JWT)
    log.info("mqtt://station:%s@broker", CANARY)
    hidden = f"{CANARY}, a local variable"

    def fail() -> None:
        raise ConnectionError(f"no answer from mqtt://station:{CANARY}@broker for {JWT}")

    try:
        fail()
    except ConnectionError:
        log.exception("failed")

    shown = capsys.readouterr().err

    assert "ConnectionError: no answer from" in shown
    assert hidden not in shown
    assert CANARY not in shown
    assert JWT.rpartition(".")[2] not in shown


@pytest.mark.parametrize(
    "text",
    [
        "The broker closed the connection.",
        "Mosquitto on port 1883 (STATION_MQTT_PORT) ended: Address already in use",
        "http://127.0.0.1:3000/api/devices",
        "mqtt://broker:1883",
        "a token that nobody knows",
        "2026-01-01T00:00:00Z",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_what_is_logged_may_be_as_deep_as_it_likes(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(level="info", form="json")
    deep: dict[str, object] = {"password": CANARY}
    for _ in range(DEEPEST * 2):
        deep = {"in": deep}
    deep["itself"] = deep
    logging.getLogger("station.test").info("look", extra={"deep": deep, "count": 3, "none": None})

    [line] = logged(capsys)

    assert (line["count"], line["none"]) == (3, None)
    assert CANARY not in str(line)
