from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from station_adapters.mqtt import topics
from station_adapters.mqtt.payloads import (
    HANDSHAKE_OK,
    HANDSHAKE_UNKNOWN,
    read_event,
    read_handshake,
    read_heartbeat,
    read_state,
    write_command,
)
from station_app.simulator.firmware import SUBSCRIPTIONS
from station_app.simulator.make import Make
from station_app.simulator.speech import Speech, heard
from station_core.errors import Malformed, StationError
from tests.contract.golden import WIRE, cases

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: dict[str, Callable[[bytes], msgspec.Struct]] = {
    "handshake": read_handshake,
    "state": read_state,
    "event": read_event,
    "heartbeat": read_heartbeat,
}


def read(case: dict[str, Any]) -> tuple[topics.Route, msgspec.Struct]:
    route = topics.Routes()[case["topic"].encode()]
    return route, READERS[route.suffix](case["payload"].encode())


@cases("mqtt/heard")
def test_what_a_device_says_is_read_as_the_page_says(case: dict[str, Any]) -> None:
    route, payload = read(case)

    assert f"station/{route.station_id}/device/{route.external_id}/{route.suffix}" == case["topic"]
    assert msgspec.structs.asdict(payload) == case["means"]


@cases("mqtt/heard", with_key="device")
def test_the_virtual_device_says_it_byte_by_byte(case: dict[str, Any]) -> None:
    how = dict(case["device"])
    says = how.pop("says")
    speech = Speech(Make(external_id="lamp-1", type="light", **how))
    means = case["means"]
    spoken = {
        "handshake": lambda: speech.handshake(means["firmware_version"], 7),
        "state": lambda: speech.report(means["state"]),
        "event": lambda: speech.event(means["data"]["action"]),
        "heartbeat": lambda: speech.heartbeat(means["status"], 7),
    }[says]()

    assert (f"station/s1/device/lamp-1/{spoken.suffix}", spoken.payload.decode()) == (case["topic"], case["payload"])


@cases("mqtt/said")
def test_what_the_station_says_is_written_byte_by_byte_and_read_by_the_virtual_device(case: dict[str, Any]) -> None:
    if "command" in case:
        topic, payload, means = topics.command("s1", "lamp-1"), write_command(case["command"]), case["command"]
    else:
        topic = topics.handshake_ack("s1", "lamp-1")
        payload = HANDSHAKE_OK if case["known"] else HANDSHAKE_UNKNOWN
        means = {"status": "ok" if case["known"] else "unknown_device"}

    assert (topic, payload.decode()) == (case["topic"], case["payload"])
    assert heard(payload) == means
    assert topic.removeprefix("station/s1/device/lamp-1/") in SUBSCRIPTIONS


@cases("mqtt/refused")
def test_what_breaks_the_contract_is_refused_by_its_code(case: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as refused:
        read(case)

    assert type(refused.value).code == case["code"]
    assert issubclass(refused.type, StationError)


def test_there_is_a_case_for_every_suffix() -> None:
    names = {path.stem for path in (WIRE / "mqtt" / "heard").glob("*.json")}

    assert {str(suffix) for suffix in topics.Suffix} <= names
