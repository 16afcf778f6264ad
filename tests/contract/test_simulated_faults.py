"""What a virtual device does wrong on purpose, as a real Mosquitto passes it on."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from station_app.simulator.driver import VirtualDevice
from station_app.simulator.faults import Fault, FaultScript
from station_app.simulator.firmware import Phase
from station_app.simulator.link import Home
from station_app.simulator.make import Make
from tests.servers.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATIENCE = 20  # seconds that anything is waited for
OWN = "station/st-1/device/lamp-1"


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with Mosquitto() as broker:
        yield broker


def faulty(broker: Mosquitto, fault: Fault, qos: int = 1) -> VirtualDevice:
    return VirtualDevice(
        Make(external_id="lamp-1", type="light", newer=True, qos=qos),
        Home(host=broker.host, port=broker.port, station_id="st-1"),
        faults=FaultScript([fault], per_minute=120.0, seed=1, external_id="lamp-1"),
    )


async def heard(broker: Mosquitto, device: VirtualDevice, enough: Callable[[list[tuple[str, bytes]]], bool]) -> None:
    """Let it live, welcomed by a station, until *enough* of what it said on any topic has been heard."""
    said: list[tuple[str, bytes]] = []
    async with asyncio.timeout(PATIENCE), aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe("#", qos=1)
        async with asyncio.TaskGroup() as group:
            life = group.create_task(device.run())
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                said.append((str(message.topic), message.payload))
                if message.topic.matches("+/+/+/+/handshake"):
                    await client.publish(f"{OWN}/handshake/ack", '{"status": "ok"}')
                if enough(said):
                    break
            life.cancel()


def beats(said: list[tuple[str, bytes]]) -> list[tuple[str, int]]:
    contents = [json.loads(payload) for topic, payload in said if topic == f"{OWN}/heartbeat"]
    return [(content["status"], content["session"]) for content in contents]


async def test_a_drop_brings_the_last_will_and_the_device_back(broker: Mosquitto) -> None:
    lamp = faulty(broker, Fault.DROP)
    await heard(broker, lamp, lambda said: beats(said)[:3] == [("online", 1), ("offline", 1), ("online", 1)])

    assert lamp.done[Fault.DROP] >= 1
    assert lamp.firmware.tally.boots == 1


def came_late(told: list[tuple[str, int]]) -> bool:
    """Whether a will of an older session was told while a newer one was at work; the next power cut may swallow one."""
    newest = 0
    for status, session in told:
        if status == "offline" and session < newest:
            return True
        newest = max(newest, session)
    return False


async def test_a_late_will_is_of_the_session_before_and_comes_when_the_device_is_back(broker: Mosquitto) -> None:
    lamp = faulty(broker, Fault.LATE_WILL)
    await heard(broker, lamp, lambda said: came_late(beats(said)))

    assert lamp.done[Fault.LATE_WILL] >= 1


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_duplicate_is_the_last_message_again(broker: Mosquitto, qos: int) -> None:
    lamp = faulty(broker, Fault.DUPLICATE, qos)
    await heard(broker, lamp, lambda said: len(said) >= 4 and said[-1] == said[-2])

    assert lamp.done[Fault.DUPLICATE] >= 1
    assert lamp.traffic.suffixes["duplicate"] == lamp.done[Fault.DUPLICATE]


async def test_rubbish_passes_the_broker_and_the_device_stays_connected(broker: Mosquitto) -> None:
    lamp = faulty(broker, Fault.RUBBISH)
    rubbish_seen = 5  # beside handshake, answer, heartbeat and state
    await heard(broker, lamp, lambda said: len(said) >= 4 + rubbish_seen)

    assert lamp.done[Fault.RUBBISH] >= rubbish_seen
    assert (lamp.firmware.tally.connections, lamp.firmware.tally.disconnections) == (1, 0)


async def test_a_device_that_is_not_at_work_does_nothing_wrong(broker: Mosquitto) -> None:
    lamp = faulty(broker, Fault.DROP)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        life = group.create_task(lamp.run())  # no station welcomes it
        await lamp.until(lambda lamp: lamp.firmware.tally.handshakes >= 2)
        life.cancel()

    assert lamp.done == {}
    assert lamp.phase is Phase.OFF
