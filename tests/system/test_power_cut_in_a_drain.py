"""What waited for the cloud goes up over a power cut in the middle of it, and only what the cloud asked for."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
import pytest

from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import StandInCloud
from tests.system.living import STATION_ID, StationProcess, station_in

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

WITHIN: Final = 60.0  # seconds for anything to come about
EVENTS: Final = 1_500


async def known(cloud: StandInCloud) -> None:
    async with asyncio.timeout(WITHIN):
        await cloud.until(lambda: bool(cloud.links) and cloud.link.authenticated)


async def until_kept(station: StationProcess, device: dict[str, Any]) -> None:
    """Report many events and one state; QoS 1, so all are kept on return."""
    topic = f"station/{STATION_ID}/device/{device['externalId']}"
    login = {"username": device["externalId"], "password": device["deviceToken"], "identifier": device["externalId"]}
    async with asyncio.timeout(WITHIN), aiomqtt.Client("127.0.0.1", station.mqtt_port, **login) as mqtt:
        for number in range(EVENTS):
            event = {"event": "user_event", "data": {"action": "press", "number": number}}
            await mqtt.publish(f"{topic}/event", json.dumps(event), qos=1)
        await mqtt.publish(f"{topic}/state", json.dumps({"state": {"on": True}}), qos=1)
    async with asyncio.timeout(WITHIN):
        while (await station.device(device["id"]))["lastKnownState"] != {"on": True}:
            await asyncio.sleep(0.02)


def told(record: Record) -> list[dict[str, Any]]:
    """What the cloud heard of devices."""
    return [frame for frame in record.frames() if str(frame.get("method", "")).startswith("device.")]


async def test_a_power_cut_in_the_drain_loses_nothing_and_keeps_the_order_and_the_filter(tmp_path: Path) -> None:
    record = Record()
    cloud = StandInCloud(record)
    async with (
        cloud.serving() as port,
        station_in(tmp_path, STATION_CLOUD_HOST=f"ws://127.0.0.1:{port}") as station,
    ):
        await known(cloud)
        answer = await cloud.link.call("station.setActiveChannels", {"channels": ["event", "colour"]})
        assert answer["result"] == {"ok": True}
        lamp = await station.add("lamp")
        await station.stop()
    station = StationProcess(tmp_path, station.environment, http_port=station.http_port, mqtt_port=station.mqtt_port)
    try:
        await station.start()
        await station.log_in()
        await until_kept(station, lamp)
        async with cloud.serving(port=port):
            async with asyncio.timeout(WITHIN):
                await cloud.until(lambda: len(told(record)) > EVENTS // 10)
            await station.kill()
            before = len(told(record))
            await station.start()
            async with asyncio.timeout(WITHIN):
                await cloud.until(lambda: told(record)[-1]["params"]["data"]["number"] == EVENTS - 1)
            await station.log_in()
            async with asyncio.timeout(WITHIN):
                while (await station.call("GET", "/api/cloud/status")).json()["oldestUnsent"] is not None:
                    await asyncio.sleep(0.1)
    finally:
        await station.kill()

    assert before < EVENTS
    assert {frame["method"] for frame in told(record)} == {"device.eventReceived"}
    first: dict[int, str] = {}
    for params in (frame["params"] for frame in told(record)):
        assert first.setdefault(params["data"]["number"], params["eventId"]) == params["eventId"]
    assert list(first) == list(range(EVENTS))
    assert len(set(first.values())) == EVENTS
