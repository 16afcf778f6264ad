"""A live socket that takes whatever it is told at once."""

from __future__ import annotations

import asyncio

from station_adapters.http.live import LiveHub
from station_adapters.http.sockets import SAID_AT_ONCE
from station_adapters.http.subscriber import News
from station_adapters.memory.home import MemoryPorts
from tests.contract.http_rig import until
from tests.unit.http.listening import GONE, Client, as_text
from tests.unit.mqtt.any_json import encoded

FRAMES = 40 * SAID_AT_ONCE


async def test_who_reads_as_fast_as_it_is_told_holds_up_nobody() -> None:
    async with MemoryPorts().running() as home, asyncio.TaskGroup() as group:
        login = await home.access.register(email="anna@home.example", password="correct horse")
        hub = LiveHub(home)
        telling = group.create_task(hub.run())
        await asyncio.sleep(0)
        client = Client(home, hub)
        running = group.create_task(client.run())
        client.say([as_text(encoded({"type": "auth", "token": login.access_token}))])
        async with asyncio.timeout(10):
            await until(lambda: client.told)
            subscriber = client.socket.subscriber
            assert subscriber is not None
            subscriber.push(News([b'{"type":"news"}'] * FRAMES))
            turns = 0
            while len(client.told) <= FRAMES:
                turns += 1
                await asyncio.sleep(0)
            client.say([GONE])
            await running
        telling.cancel()

    assert turns >= FRAMES / SAID_AT_ONCE
