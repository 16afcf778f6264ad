"""What befalls a household, one trouble after the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiomqtt

from tests.servers.small_disk import fill, make_room
from tests.system.living import STATION_ID
from tests.system.onlookers import read_slowly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path
    from random import Random

    from station_app.simulator.fleet import Fleet
    from tests.servers.fault_proxy import FaultProxy
    from tests.servers.mosquitto import Mosquitto
    from tests.servers.postgres import Postgres
    from tests.servers.wall_clock import WallClock
    from tests.system.living import StationProcess
    from tests.system.onlookers import Record

BURST: Final = 20_000  # reports
EVENTS: Final = 5_000
BURST_WITHIN: Final = 60.0  # seconds for the station to have seen its end
BROKER_HELD: Final = 20.0  # seconds
BROKER_AWAY: Final = 10.0
STALLED: Final = 20.0
DATABASE_STOPPED: Final = 10.0
DATABASE_HELD: Final = 5.0
UNPLUGGED: Final = 50  # devices
BACK_WITHIN: Final = 60.0  # seconds
YEAR: Final = 365 * 86_400.0  # seconds
JUMPS: Final = (3_600.0, -3_600.0, -56 * YEAR, 73 * YEAR, 0.0)  # seconds away from what is right
SHOWN: Final = 3.0  # seconds for which each is

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


@dataclass(kw_only=True)
class Troubles:
    """Each returns when it's over; what comes back by itself may take longer."""

    station: StationProcess
    broker: Mosquitto
    proxy: FaultProxy
    postgres: Postgres | None
    fleet: Fleet
    chance: Random
    record: Record
    clock: WallClock
    disk: Path | None
    """Where the database is, if it may fill up."""
    _marks: int = 0

    def once(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What ends the process, and so would end any measure of its growth."""
        troubles: list[Callable[[], Awaitable[None]]] = [self.station_killed_and_restarted]
        if self.postgres is not None:
            troubles.append(self.station_started_before_its_database)
        return troubles

    async def much_at_once(self) -> None:
        """As much as will ever come together, so that what single troubles take later was there before."""
        async with asyncio.TaskGroup() as group:
            for trouble in (
                self.connection_stalled,
                self.slow_reader,
                self.devices_unplugged,
                self.rubbish,
                self.burst_of_events,
            ):
                group.create_task(trouble())

    def rotation(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What comes again and again; first what the station has most to do with."""
        troubles: list[Callable[[], Awaitable[None]]] = [
            self.rubbish,
            self.burst_of_reports,
            self.burst_of_events,
            self.slow_reader,
            self.broker_restarted_empty,
            self.connection_cut,
            self.devices_unplugged,
            self.database_locked if self.postgres is None else self.database_held_still,
            self.connection_reset,
            self.broker_held_still,
            self.broker_refuses,
            self.connection_stalled,
            self.broker_closes_at_once,
            self.clock_jumps,
        ]
        if self.postgres is not None:
            troubles[2:2] = [self.database_stopped]
        if self.disk is not None:
            troubles[5:5] = [self.disk_full]
        return troubles

    async def station_killed_and_restarted(self) -> None:
        await self.station.kill()
        await self.station.start()
        await self.station.log_in()

    async def station_started_before_its_database(self) -> None:
        assert self.postgres is not None
        await self.station.kill()
        await self.postgres.stop()
        await self.station.start(healthy=False)
        await asyncio.sleep(DATABASE_HELD)
        await self.postgres.start()
        await self.station.healthy()
        await self.station.log_in()

    async def broker_restarted_empty(self) -> None:
        await self.broker.restart()

    async def broker_held_still(self) -> None:
        self.broker.pause()
        try:
            await asyncio.sleep(BROKER_HELD)
        finally:
            self.broker.resume()

    async def broker_refuses(self) -> None:
        await self.proxy.refuse()
        try:
            await self.proxy.reset()
            await asyncio.sleep(BROKER_AWAY)
        finally:
            self.proxy.accept()

    async def broker_closes_at_once(self) -> None:
        await self.proxy.refuse()
        try:
            async with await asyncio.start_server(_close, self.proxy.host, self.proxy.port):
                await self.proxy.cut()
                await asyncio.sleep(BROKER_AWAY)
        finally:
            self.proxy.accept()

    async def connection_cut(self) -> None:
        await self.proxy.cut()

    async def connection_reset(self) -> None:
        await self.proxy.reset()

    async def connection_stalled(self) -> None:
        self.proxy.up.stalled = self.proxy.down.stalled = True
        try:
            await asyncio.sleep(STALLED)
        finally:
            self.proxy.up.stalled = self.proxy.down.stalled = False

    async def database_stopped(self) -> None:
        assert self.postgres is not None
        await self.postgres.stop()
        try:
            await asyncio.sleep(DATABASE_STOPPED)
        finally:
            await self.postgres.start()

    async def database_held_still(self) -> None:
        assert self.postgres is not None
        self.postgres.pause()
        try:
            await asyncio.sleep(DATABASE_HELD)
        finally:
            self.postgres.resume()

    async def database_locked(self) -> None:
        path = self.station.folder / "data" / "station.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
            while not other.in_transaction:
                with contextlib.suppress(sqlite3.OperationalError):  # the station writes just now
                    other.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(0.01)
            await asyncio.sleep(DATABASE_STOPPED)
            other.execute("ROLLBACK")

    async def disk_full(self) -> None:
        assert self.disk is not None
        ballast = self.disk / "ballast"
        await asyncio.to_thread(fill, ballast)
        try:
            await asyncio.sleep(DATABASE_STOPPED)
        finally:
            make_room(ballast)

    async def clock_jumps(self) -> None:
        for offset in JUMPS:
            self.clock.jump_to(offset)
            await asyncio.sleep(SHOWN)

    async def burst_of_reports(self) -> None:
        """The last of them, at QoS 1, is what the station shows in the end."""
        self._marks += 1
        device = self.chance.choice([device for device in self.fleet if device.firmware.make.type == "climate"])
        topic = f"station/{STATION_ID}/device/{device.external_id}/state"
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            for n in range(BURST):
                await client.publish(topic, json.dumps({"state": {"temperature": 20 + n / 1_000}}), qos=0)
            await client.publish(topic, json.dumps({"state": {"mark": self._marks}}), qos=1)
        try:
            async with asyncio.timeout(BURST_WITHIN):
                while not await self._shown(device.external_id):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            self.record.wrong(f"The end of a burst wasn't seen within {BURST_WITHIN:.0f} s.")

    async def burst_of_events(self) -> None:
        """Each is a row of its own: as many as a quiet house has in a day, so that the database's caches are full."""
        topics = [f"station/{STATION_ID}/device/{device.external_id}/event" for device in self.fleet]
        async with aiomqtt.Client(
            self.broker.host, self.broker.port, max_concurrent_outgoing_calls=len(topics)
        ) as client:
            for n in range(EVENTS // len(topics)):
                told = json.dumps({"event": "user_event", "data": {"action": "press", "n": n}})
                await asyncio.gather(*(client.publish(topic, told, qos=1) for topic in topics))

    async def slow_reader(self) -> None:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_slowly(self.station, self.record))
            for _ in range(2):
                await self.burst_of_reports()
        print(f"  the slow socket got {reading.result()} snapshots", flush=True)

    async def devices_unplugged(self) -> None:
        """Over once each has connected anew: its will has come before that."""
        unplugged = self.chance.sample(list(self.fleet), min(UNPLUGGED, len(self.fleet)))
        before = {device.external_id: device.firmware.tally.connections for device in unplugged}
        for device in unplugged:
            device.unplug()
        with contextlib.suppress(TimeoutError):  # who doesn't come back is found missing
            async with asyncio.timeout(BACK_WITHIN):
                for device in unplugged:
                    await device.until(lambda device: device.firmware.tally.connections > before[device.external_id])

    async def rubbish(self) -> None:
        device = self.chance.choice(list(self.fleet)).external_id
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            for suffix in ("handshake", "state", "event", "heartbeat"):
                for payload in RUBBISH:
                    await client.publish(f"station/{STATION_ID}/device/{device}/{suffix}", payload, qos=1)
            for n in range(500):
                await client.publish(f"station/{STATION_ID}/device/stranger{n}/state", b'{"state":{"on":true}}', qos=1)
                await client.publish(f"station/{STATION_ID}/device/la mp{n}/state", b'{"state":{"on":true}}', qos=0)

    async def _shown(self, external_id: str) -> bool:
        devices = (await self.station.call("GET", "/api/devices")).json()
        shown = next(device["lastKnownState"] for device in devices if device["externalId"] == external_id)
        return bool(shown.get("mark") == self._marks)


async def _close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
