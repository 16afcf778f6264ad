from __future__ import annotations

import pytest

from station_adapters.mqtt import topics
from station_adapters.mqtt.topics import Routes, Suffix, parse
from station_core.errors import Malformed


@pytest.mark.parametrize("suffix", list(Suffix))
def test_a_device_topic_names_station_device_and_suffix(suffix: Suffix) -> None:
    route = parse(f"station/S-1/device/aa:bb.c_d-1/{suffix}".encode())

    assert (route.station_id, route.external_id, route.suffix) == ("S-1", "aa:bb.c_d-1", suffix)


@pytest.mark.parametrize(
    "topic",
    [
        b"",
        b"station",
        b"station/s/device/d",
        b"station/s/device/d/state/more",
        b"Station/s/device/d/state",
        b"station/s/devices/d/state",
        b"station/s/device/d/command",
        b"station/s/device/d/handshake/ack",
        b"station//device/d/state",
        b"station/s/device//state",
        b"station/s/device/+/state",
        b"station/s/device/#/state",
        b"station/s/device/-d/state",
        b"station/s/device/" + b"d" * 65 + b"/state",
        "station/s/device/dé/state".encode(),
        b"station/s/device/\xff/state",
        b"station/s/device/d\n/state",
        b"$SYS/broker/uptime",
    ],
)
def test_any_other_topic_is_malformed(topic: bytes) -> None:
    with pytest.raises(Malformed):
        parse(topic)


def test_a_topic_is_parsed_once_and_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "ROUTES_KEPT", 2)
    routes = Routes()
    first = routes[b"station/s/device/a/state"]
    same = routes[b"station/s/device/a/state"]
    assert routes[b"station/s/device/b/state"].external_id == "b"
    assert routes[b"station/s/device/c/state"].external_id == "c"

    assert same is first
    assert routes[b"station/s/device/a/state"] is not first


def test_the_station_speaks_on_the_topics_that_devices_read() -> None:
    assert topics.command("s", "d") == "station/s/device/d/command"
    assert topics.handshake_ack("s", "d") == "station/s/device/d/handshake/ack"
