"""What befalls a household, one trouble after the other."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

import aiomqtt

from tests.system.living import STATION_ID
from tests.system.onlookers import read_slowly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from random import Random

    from station_app.simulator.fleet import Fleet
    from tests.servers.fault_proxy import FaultProxy
    from tests.servers.mosquitto import Mosquitto
    from tests.servers.postgres import Postgres
    from tests.system.living import StationProcess
    from tests.system.onlookers import Record

BURST: Final = 20_000  # reports
BURST_WITHIN: Final = 60.0  # seconds for the station to have seen its end
BROKER_HELD: Final = 20.0  # seconds
STALLED: Final = 20.0
DATABASE_STOPPED: Final = 10.0
DATABASE_HELD: Final = 5.0
UNPLUGGED: Final = 50  # devices

RUBBISH: Final = (
    b"",
    b"null",
    b"[]",
    b"\xff\xfe",
    b"{" * 10_000,
    b"[" * 60_000,
    b'{"state":{"a":1e999}}',
    b'{"state":{"a":9223372036854775808}}',
    b'{"state":{"a":"\\ud800"}}',
    b'{"state":{"a":"' + b"x" * 70_000 + b'"}}',
    b'{"event":"no_such_event","data":{"action":"x"}}',
    b'{"status":"asleep"}',
    b'{"type":"a b","firmwareVersion":"1"}',
    b"x" * 900_000,
)


class Troubles:
    """Each returns when it's over; what comes back by itself may take longer."""

    def __init__(
        self,
        station: StationProcess,
        broker: Mosquitto,
        proxy: FaultProxy,
        postgres: Postgres | None,
        fleet: Fleet,
        chance: Random,
        record: Record,
    ) -> None:
        self._station = station
        self._broker = broker
        self._proxy = proxy
        self._postgres = postgres
        self._fleet = fleet
        self._chance = chance
        self._record = record
        self._marks = 0

    def once(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What ends the process, and so would end any measure of its growth."""
        return [self.station_killed_and_restarted]

    def rotation(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What comes again and again; first what the station has most to do with."""
        troubles: list[Callable[[], Awaitable[None]]] = [
            self.rubbish,
            self.burst_of_reports,
            self.slow_reader,
            self.broker_restarted_empty,
            self.connection_cut,
            self.devices_unplugged,
            self.connection_reset,
            self.broker_held_still,
            self.connection_stalled,
        ]
        if self._postgres is not None:
            troubles[2:2] = [self.database_stopped]
            troubles[6:6] = [self.database_held_still]
        return troubles

    async def station_killed_and_restarted(self) -> None:
        await self._station.kill()
        await self._station.start()
        await self._station.log_in()

    async def broker_restarted_empty(self) -> None:
        await self._broker.restart()

    async def broker_held_still(self) -> None:
        self._broker.pause()
        try:
            await asyncio.sleep(BROKER_HELD)
        finally:
            self._broker.resume()

    async def connection_cut(self) -> None:
        await self._proxy.cut()

    async def connection_reset(self) -> None:
        await self._proxy.reset()

    async def connection_stalled(self) -> None:
        self._proxy.up.stalled = self._proxy.down.stalled = True
        try:
            await asyncio.sleep(STALLED)
        finally:
            self._proxy.up.stalled = self._proxy.down.stalled = False

    async def database_stopped(self) -> None:
        assert self._postgres is not None
        await self._postgres.stop()
        try:
            await asyncio.sleep(DATABASE_STOPPED)
        finally:
            await self._postgres.start()

    async def database_held_still(self) -> None:
        assert self._postgres is not None
        self._postgres.pause()
        try:
            await asyncio.sleep(DATABASE_HELD)
        finally:
            self._postgres.resume()

    async def burst_of_reports(self) -> None:
        """The last of them, at QoS 1, is what the station shows in the end."""
        self._marks += 1
        device = self._chance.choice([device for device in self._fleet if device.firmware.make.type == "climate"])
        topic = f"station/{STATION_ID}/device/{device.external_id}/state"
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            for n in range(BURST):
                await client.publish(topic, json.dumps({"state": {"temperature": 20 + n / 1_000}}), qos=0)
            await client.publish(topic, json.dumps({"state": {"mark": self._marks}}), qos=1)
        try:
            async with asyncio.timeout(BURST_WITHIN):
                while not await self._shown(device.external_id):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            self._record.wrong(f"The end of a burst wasn't seen within {BURST_WITHIN:.0f} s.")

    async def slow_reader(self) -> None:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_slowly(self._station, self._record))
            for _ in range(2):
                await self.burst_of_reports()
        print(f"  the slow socket got {reading.result()} snapshots", flush=True)

    async def devices_unplugged(self) -> None:
        for device in self._chance.sample(list(self._fleet), min(UNPLUGGED, len(self._fleet))):
            device.unplug()

    async def rubbish(self) -> None:
        device = self._chance.choice(list(self._fleet)).external_id
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            for suffix in ("handshake", "state", "event", "heartbeat"):
                for payload in RUBBISH:
                    await client.publish(f"station/{STATION_ID}/device/{device}/{suffix}", payload, qos=1)
            for n in range(500):
                await client.publish(f"station/{STATION_ID}/device/stranger{n}/state", b'{"state":{"on":true}}', qos=1)
                await client.publish(f"station/{STATION_ID}/device/la mp{n}/state", b'{"state":{"on":true}}', qos=0)

    async def _shown(self, external_id: str) -> bool:
        devices = (await self._station.call("GET", "/api/devices")).json()
        shown = next(device["lastKnownState"] for device in devices if device["externalId"] == external_id)
        return bool(shown.get("mark") == self._marks)
