"""The station's own Mosquitto over its life: restarts, ends, and a station that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import aiomqtt
import psutil
import pytest

from station_adapters.mosquitto.broker import YIELDS
from station_core.errors import BrokerUnavailable, LinkDown
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from station_adapters.mosquitto.broker import MosquittoBroker

from tests.contract.broker_park import LAMP, STATION, Park, broker_in, received, running


async def test_what_it_held_for_the_station_survives_its_restart(tmp_path: Path) -> None:
    park = Park(tmp_path)
    durable = aiomqtt.Client(
        "127.0.0.1",
        park.port,
        username=STATION.user,
        password=STATION.password,
        identifier=STATION.user,
        clean_session=False,
    )
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        async with durable as station:
            await station.subscribe("station/+/device/+/state", qos=1)
        async with park.device(LAMP) as lamp:
            await lamp.publish(f"station/s/device/{LAMP}/state", b"x", qos=1)
    async with running(park.broker), durable as station:
        topics = await received(station, f"station/s/device/{LAMP}/state")

    assert topics == [f"station/s/device/{LAMP}/state"]


async def test_a_broker_that_ends_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    park = Park(tmp_path)
    ready = asyncio.Event()

    async def kill() -> None:
        await ready.wait()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    with pytest.raises(LinkDown):
        await asyncio.wait_for(asyncio.gather(park.broker.run(ready), kill()), 10)

    assert not (tmp_path / "pid").exists()
    with pytest.raises(BrokerUnavailable):
        await park.broker.admit([])


async def test_in_overload_the_station_goes_first(tmp_path: Path) -> None:
    park = Park(tmp_path)
    async with running(park.broker):
        broker = psutil.Process(int((tmp_path / "pid").read_text()))

        assert broker.nice() == psutil.Process().nice() + YIELDS


async def test_a_port_that_is_taken_is_told_in_words(tmp_path: Path) -> None:
    park = Park(tmp_path)
    (tmp_path / "second").mkdir()
    async with running(park.broker):
        with pytest.raises(LinkDown, match="Address already in use"):
            await broker_in(tmp_path / "second", park.port).run(asyncio.Event())


LIFE = """
import asyncio, sys
from pathlib import Path
from tests.contract.broker_park import broker_in

async def live():
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(broker_in(Path(sys.argv[1]), int(sys.argv[2])).run(ready))
        await ready.wait()
        print("ready", flush=True)

asyncio.run(live())
"""


async def until_ended(broker: MosquittoBroker, ready: asyncio.Event) -> None:
    with pytest.raises(LinkDown):
        await broker.run(ready)


async def test_it_is_gone_when_the_station_is_killed(tmp_path: Path) -> None:
    port = free_port()
    station = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LIFE, str(tmp_path), str(port), stdout=subprocess.PIPE
    )
    assert station.stdout is not None
    async with asyncio.timeout(10):
        await station.stdout.readline()
    broker = psutil.Process(int((tmp_path / "pid").read_text()))
    station.kill()
    await station.wait()

    assert await asyncio.to_thread(psutil.wait_procs, [broker], timeout=5) == ([broker], [])


async def test_one_that_was_left_behind_is_ended_before_the_next_starts(tmp_path: Path) -> None:
    park = Park(tmp_path)
    left_behind = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(until_ended(park.broker, left_behind))
        async with asyncio.timeout(10):
            await left_behind.wait()
            async with running(broker_in(tmp_path, park.port)):
                await asyncio.wait([first])

    assert first.done()
