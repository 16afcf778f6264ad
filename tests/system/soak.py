"""
Does anything grow? A household for as long as wanted: many devices, people who look on, a trouble each minute.

`make soak` fails when memory, threads, descriptors, tasks or queues of the station grow, or what must hold doesn't.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from station_app.simulator.firmware import HEARTBEAT, Phase
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home
from tests.servers.fault_proxy import FaultProxy
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.servers.small_disk import mounted, small_disk
from tests.servers.wall_clock import WallClock
from tests.system.gauges import WARM_AFTER, Gauge, Sample
from tests.system.living import STATION_ID, StationProcess, station_in
from tests.system.onlookers import Caller, Record, percentile, watch
from tests.system.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

TYPES: Final = ("light", "climate", "pir", "switch-pir")
TROUBLE_EVERY: Final = 60.0  # seconds
ONLINE_WITHIN: Final = HEARTBEAT + 15.0  # seconds: a device that noticed nothing speaks by its next heartbeat
TEMPO: Final = 2.0
DISK: Final = "256m"
SHORTEST: Final = 2.0  # minutes: the first trouble begins a new process, of which some samples are needed


@dataclass
class Soak:
    station: StationProcess
    fleet: Fleet
    troubles: Troubles
    caller: Caller
    record: Record
    gauge: Gauge

    async def run(self, seconds: float) -> None:
        """Live for so long."""
        async with asyncio.TaskGroup() as group:
            living = [
                group.create_task(work)
                for work in (
                    self.fleet.run(),
                    self.gauge.run(_print),
                    watch(self.station, self.record, batch=True),
                    watch(self.station, self.record, batch=False),
                    self.caller.run(),
                )
            ]
            self.record.trouble = -1
            await self._online("the start")
            self.record.trouble = 0
            await self._suffer(time.monotonic() + seconds)
            for task in living:
                task.cancel()

    async def _suffer(self, until: float) -> None:
        """One upon the other while the station gets warm, so that what comes later is nothing new; then at leisure."""
        for trouble in self.troubles.once():
            if time.monotonic() < until:
                await self._befall(trouble)
        warm_at = time.monotonic() + WARM_AFTER
        for trouble in chain([self.troubles.much_at_once], cycle(self.troubles.rotation())):
            began = time.monotonic()
            if began >= until:
                return
            await self._befall(trouble)
            if time.monotonic() > warm_at:
                await asyncio.sleep(max(0.0, min(began + TROUBLE_EVERY, until) - time.monotonic()))

    async def _befall(self, trouble: Callable[[], Awaitable[None]]) -> None:
        name = getattr(trouble, "__name__", "trouble").replace("_", " ")
        self.record.troubles += 1
        self.record.trouble = self.record.troubles
        print(f"{self.record.trouble}. {name}", flush=True)
        await trouble()
        over = time.monotonic()
        await self._online(name)
        print(f"  all online {time.monotonic() - over:.1f} s after it", flush=True)
        self.record.trouble = 0

    async def _online(self, after: str) -> None:
        missing: Sequence[str] = ["station"]
        try:
            async with asyncio.timeout(ONLINE_WITHIN):
                while missing := await self._missing():
                    await asyncio.sleep(0.5)
        except TimeoutError:
            self.record.wrong(f"{len(missing)} devices aren't online again after {after}, such as {missing[:3]}.")

    async def _missing(self) -> Sequence[str]:
        """Who isn't there, in its own view or the station's."""
        missing = [device.external_id for device in self.fleet if device.phase is not Phase.OPERATIONAL]
        with contextlib.suppress(httpx.TransportError):
            answer = await self.station.call("GET", "/api/devices")
            ready = await self.station.call("GET", "/health/ready")
            if answer.status_code == ready.status_code == 200:
                return missing + [device["externalId"] for device in answer.json() if device["status"] != "online"]
        return [*missing, "station"]

    def summary(self) -> str:
        """What was seen."""
        record, tally = self.record, self.fleet.tally()
        commands, calm = record.commands, record.calm_commands
        lines = (
            (
                f"{len(self.fleet)} devices, {tally.reports} reports, {tally.connections} connections, "
                f"{record.troubles} troubles"
            ),
            f"the station, {self.gauge.reading()}",
            (
                f"sockets: {record.messages} messages, {record.connections} connections, "
                f"{record.snapshots} snapshots in place of what was missed"
            ),
            (
                f"reads: {len(record.reads)}, p50 {percentile(record.reads, 50):.1f} ms, "
                f"p99 {percentile(record.reads, 99):.1f} ms; answers {dict(record.answers)}"
            ),
            (
                f"commands: {commands['applied'] / max(1, commands.total()):.1%} applied, {dict(commands)}; "
                f"in calm {calm['applied'] / max(1, calm.total()):.1%} of {calm.total()}"
            ),
            f"log lines: {dict(Counter(map(_kind, self.station.log().splitlines())))}",
        )
        return "\n".join(lines)


def _kind(line: str) -> str:
    """What a line of the log is about; whole when it's none of the station's own."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return line
    return f"{said.get('level')}: {said.get('event')}"


def _print(sample: Sample) -> None:
    print(
        f"  {time.strftime('%H:%M:%S')} memory {sample.rss:.1f} MB, {sample.threads} threads, "
        f"{sample.descriptors} descriptors, {sample.children} children, {sample.tasks} tasks, "
        f"{sample.waiting} waiting, {sample.cpu:.0f} s of CPU",
        flush=True,
    )


@asynccontextmanager
async def household(folder: Path, database: str, devices: int, seed: int) -> AsyncIterator[Soak]:
    """A station over `sqlite` or `postgres` with its devices, about to be lived in."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Mosquitto())
        proxy = await stack.enter_async_context(FaultProxy(broker.host, broker.port))
        clock = WallClock(folder, seconds=1)
        more = {"STATION_MQTT_URL": f"mqtt://{proxy.host}:{proxy.port}", **clock.environment}
        postgres: Postgres | None = None
        disk: Path | None = None
        root = os.geteuid() == 0
        if database == "postgres":
            disk = stack.enter_context(small_disk(DISK)) if root else None
            postgres = await stack.enter_async_context(Postgres())
            more["STATION_DATABASE_URL"] = await postgres.fresh_database(disk)
        elif root:
            disk = stack.enter_context(mounted(folder / "data", DISK))
        if not root:
            print("Only root may mount a disk that is small enough to be filled: none will be full.")
        station = await stack.enter_async_context(station_in(folder, **more))
        members = [(f"d{n}", TYPES[n % len(TYPES)], None) for n in range(devices)]
        added = [await station.add(external_id, kind) for external_id, kind, _ in members]
        home = Home(host=broker.host, port=broker.port, station_id=STATION_ID)
        fleet = Fleet.of(members, home, tempo=TEMPO, seed=seed, newer=True)
        record, chance = Record(), random.Random(seed)
        lights = [device["id"] for device in added if device["type"] == "light"]
        yield Soak(
            station,
            fleet,
            Troubles(
                station=station,
                broker=broker,
                proxy=proxy,
                postgres=postgres,
                fleet=fleet,
                chance=chance,
                record=record,
                clock=clock,
                disk=disk,
            ),
            Caller(station, lights, chance, record),
            record,
            Gauge(lambda: station.pid, station.figures),
        )


async def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--devices", type=int, default=200)
    arguments.add_argument("--databases", default="sqlite,postgres", help="one after the other")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    if options.minutes < SHORTEST:
        arguments.error(f"less than {SHORTEST:g} minutes say nothing")
    # Ctrl-C is asyncio's own; without this a SIGTERM would leave the station behind.
    soaking = asyncio.current_task()
    assert soaking is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, soaking.cancel)
    failed = False
    for database in options.databases.split(","):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="station-soak-") as folder:
            async with household(Path(folder), database, options.devices, options.seed) as soak:
                await soak.run(options.minutes * 60)
                wrong = [*soak.record.broken, *soak.gauge.reading().verdict(time.monotonic() - began)]
                print(f"{database}, {options.minutes:g} minutes:\n{soak.summary()}")
        print("\n".join(wrong) or "Nothing grew, nothing broke.", flush=True)
        failed = failed or bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
