"""Every malformed topic, id and payload, on every topic, over both databases: one verdict, then the next counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import aiomqtt
import pytest

from tests.servers.mosquitto import Mosquitto
from tests.system.living import STATION_ID, station_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.system

SUFFIXES: Final = ("handshake", "state", "event", "heartbeat")


def nested(depth: int) -> bytes:
    return b'{"state":{"a":' + b"[" * depth + b"]" * depth + b"}}"


RUBBISH: Final = [
    b"",
    b"null",
    b"{}",
    b"[]",
    b"x",
    b"\xff\xfe",
    b"{" * 10_000,
    b"[" * 60_000,
    b'{"state":{"a":1e999}}',
    b'{"state":{"a":NaN}}',
    b'{"state":{"a":9223372036854775808}}',
    b'{"state":{"a":-9223372036854775808}}',
    b'{"state":{"a":"\\u0000"}}',
    b'{"state":{"a":"\\ud800"}}',
    b'{"state":{"\\u0000":1}}',
    b'{"state":{"a":"' + b"x" * 4_097 + b'"}}',
    b'{"state":{"a":"' + b"x" * 70_000 + b'"}}',
    b'{"state":' + json.dumps({f"k{n}": n for n in range(129)}).encode() + b"}",
    nested(31),
    nested(500),
    b'{"event":"no_such_event","data":{"action":"x"}}',
    b'{"event":"device_event","data":{}}',
    b'{"event":"device_event","data":{"action":1}}',
    b'{"event":"device_event","data":{"action":"\\u0000"}}',
    b'{"status":"asleep"}',
    b'{"status":"online","session":-1}',
    b'{"type":"a b","firmwareVersion":"1"}',
    b'{"type":"","firmwareVersion":"1"}',
    b'{"type":"light","firmwareVersion":"\\u0000"}',
    b'{"type":"light","firmwareVersion":"1","kit_tag":"a/b"}',
]

TOPICS: Final = [
    "station",
    "station/S1/device/lamp",
    "station/S1/device/lamp/state/more",
    "station/S1/device/lamp/command",
    "station//device/lamp/state",
    "station/S1/device//state",
    "station/S1/device/la mp/state",
    "station/S1/device/lämp/state",
    f"station/S1/device/{'d' * 65}/state",
    "station/S 1/device/lamp/state",
]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_rubbish_is_dropped_and_what_comes_after_it_counts(
    database: str, tmp_path: Path, postgres: Postgres
) -> None:
    more = {"STATION_DATABASE_URL": await postgres.fresh_database()} if database == "postgres" else {}
    async with Mosquitto() as broker, station_in(tmp_path, STATION_MQTT_URL=broker.url, **more) as station:
        added = await station.add("lamp")
        prefix = f"station/{STATION_ID}/device/lamp"
        async with station.live() as live, aiomqtt.Client(broker.host, broker.port) as lamp:
            await lamp.publish(f"{prefix}/handshake", b'{"type":"light","firmwareVersion":"1.0"}', qos=1)
            await live.until("device_status_changed")
            for n, (suffix, payload) in enumerate((s, p) for s in SUFFIXES for p in RUBBISH):
                await lamp.publish(f"{prefix}/{suffix}", payload, qos=n % 2)
            for topic in TOPICS:
                await lamp.publish(topic, b'{"state":{"on":true}}', qos=1)
                await lamp.publish(topic, b'{"state":{"on":true}}', qos=0)
            await lamp.publish(f"{prefix}/state", b'{"state":{"on":false}}', qos=1)
            changed = await live.until("device_state_changed")
        told = await station.events(added["id"])
        log = [json.loads(line) for line in station.log().splitlines() if line.startswith("{")]

    assert changed["state"] == {"on": False}
    assert [item["eventType"] for item in told] == ["status_changed"]
    dropped = [
        (e["suffix"], e["outcome"])
        for e in log
        if e["event"].startswith("message dropped") and e["external_id"] == "lamp"
    ]
    assert sorted(dropped) == sorted((suffix, "malformed") for suffix in SUFFIXES)
    assert not [entry for entry in log if entry["level"] in {"error", "critical"}]


async def test_a_report_that_was_retained_by_mistake_counts_for_nothing(tmp_path: Path) -> None:
    topic = f"station/{STATION_ID}/device/lamp/state"
    async with Mosquitto() as broker, station_in(tmp_path, STATION_MQTT_URL=broker.url) as station:
        added = await station.add("lamp")
        await station.stop()
        async with aiomqtt.Client(broker.host, broker.port) as lamp:
            await lamp.publish(topic, b'{"state":{"on":true}}', qos=0, retain=True)
        await station.start()
        await station.log_in()
        async with station.live() as live, aiomqtt.Client(broker.host, broker.port) as lamp:
            await lamp.publish(topic, b'{"state":{"n":1}}', qos=1)
            changed = await live.until("device_state_changed")
        device = await station.device(added["id"])

    assert changed["state"] == {"n": 1}
    assert device["lastKnownState"] == {"n": 1}
