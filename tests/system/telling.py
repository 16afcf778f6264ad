"""A household over a database that something befalls: one device that tells, and what is kept of it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiomqtt

from tests.servers.mosquitto import Mosquitto
from tests.system.living import STATION_ID, StationProcess, station_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.postgres import Postgres

RECOVERED_WITHIN: Final = 10.0  # seconds from the database's return
CHUNK: Final = 500  # messages under way at once


class Writer:
    """A device that tells numbered events at QoS 1, and answers commands by nothing."""

    def __init__(self, station: StationProcess, broker: Mosquitto) -> None:
        self._station = station
        self._broker = broker
        self.sent = 0
        self.commands = 0

    async def tell(self, count: int) -> None:
        topic = f"station/{STATION_ID}/device/lamp/event"
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            for _ in range(count):
                told = {"event": "user_event", "data": {"action": "press", "n": self.sent}}
                await client.publish(topic, json.dumps(told), qos=1)
                self.sent += 1

    async def go_on(self, enough: asyncio.Event) -> None:
        """Tell without a pause."""
        while not enough.is_set():
            await self.tell(50)

    async def flood(self, count: int) -> None:
        """Tell so many as fast as the broker takes them, in order."""
        topic = f"station/{STATION_ID}/device/lamp/event"
        async with aiomqtt.Client(self._broker.host, self._broker.port, max_concurrent_outgoing_calls=CHUNK) as client:
            for first in range(self.sent, self.sent + count, CHUNK):
                told = [{"event": "user_event", "data": {"action": "press", "n": first + n}} for n in range(CHUNK)]
                await asyncio.gather(*(client.publish(topic, json.dumps(one), qos=1) for one in told))
        self.sent += count

    async def listen(self, ready: asyncio.Event) -> None:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            await client.subscribe(f"station/{STATION_ID}/device/lamp/command", qos=1)
            ready.set()
            async for _ in client.messages:
                self.commands += 1


@asynccontextmanager
async def living(
    folder: Path, server: Postgres, *, disk: Path | None = None
) -> AsyncIterator[tuple[StationProcess, Writer, str]]:
    """A station over the server, its tables on this disk if there is one, with one device that has spoken."""
    async with Mosquitto() as broker:
        more = {"STATION_MQTT_URL": broker.url, "STATION_DATABASE_URL": await server.fresh_database(disk)}
        async with station_in(folder, **more) as station:
            added = await station.add("lamp")
            writer = Writer(station, broker)
            await writer.tell(1)
            await kept(station, added["id"], 1)
            yield station, writer, added["id"]


async def numbers(station: StationProcess, device_id: str) -> list[int]:
    events = await station.events(device_id)
    return [item["payload"]["data"]["n"] for item in events if item["eventType"] == "event_received"]


async def kept(station: StationProcess, device_id: str, count: int, within: float = 30) -> None:
    """Return when the last of so many is kept; they come in order."""
    async with asyncio.timeout(within):
        while await newest(station, device_id) < count - 1:
            await asyncio.sleep(0.05)


async def newest(station: StationProcess, device_id: str) -> int:
    """The number told last, -1 for none among the newest activities."""
    query = {"deviceId": device_id, "eventType": "event_received", "limit": "1"}
    items = (await station.call("GET", "/api/device-events", params=query)).json()["items"]
    return int(items[0]["payload"]["data"]["n"]) if items else -1


async def ready(station: StationProcess) -> dict[str, Any]:
    answer = await station.call("GET", "/health/ready")
    return {"http": answer.status_code, **answer.json()}


async def recovered(station: StationProcess, device_id: str, count: int, within: float = RECOVERED_WITHIN) -> None:
    """Return when the station is ready and all that was told is kept, soon after its database's return."""
    async with asyncio.timeout(within):
        while (await ready(station))["http"] != 200:
            await asyncio.sleep(0.1)
        await kept(station, device_id, count)
