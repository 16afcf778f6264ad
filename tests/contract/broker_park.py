"""A broker of the station's own with two devices admitted, and what tests do with it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import aiomqtt

from station_adapters.mosquitto.broker import MosquittoBroker
from station_adapters.mosquitto.files import Listener, Login
from station_core.devices.credentials import Account
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


STATION = Login(user="station/s", password="the station's own")
LAMP, DOOR = "lamp", "door"


def write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def broker_in(
    folder: Path, port: int, *, anonymous: bool = False, write: Callable[[Path, bytes], None] = write
) -> MosquittoBroker:
    return MosquittoBroker(
        listener=Listener(host="127.0.0.1", port=port, anonymous=anonymous),
        station=STATION,
        folder=folder,
        write=write,
    )


@asynccontextmanager
async def running(broker: MosquittoBroker) -> AsyncIterator[asyncio.Task[None]]:
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(broker.run(ready))
        async with asyncio.timeout(10):
            await ready.wait()
        try:
            yield task
        finally:
            task.cancel()


class Park:
    """A broker with two devices admitted."""

    def __init__(self, folder: Path, *, anonymous: bool = False, write: Callable[[Path, bytes], None] = write) -> None:
        self.port = free_port()
        self.folder = folder
        self.broker = broker_in(folder, self.port, anonymous=anonymous, write=write)
        self.accounts = [
            Account(external_id=name, digest=self.broker.digest(f"token of {name}")) for name in (LAMP, DOOR)
        ]

    def client(self, user: str | None, password: str | None = None, *, client_id: str | None = None) -> aiomqtt.Client:
        return aiomqtt.Client("127.0.0.1", self.port, username=user, password=password, identifier=client_id, timeout=5)

    def device(self, name: str) -> aiomqtt.Client:
        return self.client(name, f"token of {name}", client_id=name)

    def station(self) -> aiomqtt.Client:
        return self.client(STATION.user, STATION.password, client_id=STATION.user)


async def tried(client: aiomqtt.Client, topic: str, *, connected: bool = False) -> None:
    """Publish; some versions of Mosquitto end the connection for a topic that isn't allowed, some pass it over."""
    with suppress(aiomqtt.MqttError):
        if connected:
            await client.publish(topic, b"x", qos=1)
        else:
            async with client:
                await client.publish(topic, b"x", qos=1)


async def received(client: aiomqtt.Client, last: str) -> list[str]:
    """The topics that come in until *last*."""
    topics: list[str] = []
    async with asyncio.timeout(5):
        async for message in client.messages:
            topics.append(str(message.topic))
            if topics[-1] == last:
                return topics
    raise AssertionError(topics)
