"""
Batches of the journal into both databases: changes kept per second, milliseconds and CPU microseconds per commit.

The CPU is the station's own process, making the changes included, PostgreSQL's not. Run it in a folder on tmpfs
(TMPDIR=/dev/shm) to see SQLite's commits without their fsync.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import uvloop

from station_adapters.sql.devices import SqlDeviceStore
from station_adapters.sql.engine import open_database
from station_adapters.sql.migrations import upgrade
from station_adapters.sql.outbox import SqlOutbox
from station_adapters.system.clock import SystemRandomness
from station_core.devices.credentials import Credential
from station_core.devices.model import Device, Status
from station_core.devices.ports import DeviceChange
from station_core.devices.types import TYPES
from station_core.journal import DELIVERIES_KEPT, Batch
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from station_adapters.sql.engine import Database

SIZES: Final = (1, 10, 100, 1000)
LIGHT: Final = TYPES[3]
WARM_UP: Final = 10  # commits


class Load:
    """Devices that report, and every tenth of whose reports may flip a switch."""

    def __init__(self, store: SqlDeviceStore, devices: list[Device]) -> None:
        self._store = store
        self._devices = devices
        self._number = 0
        self._reports = 0

    async def commit(self, size: int, *, flips: bool, deliveries: bool) -> None:
        batch: Batch[DeviceChange] = Batch()
        self._number += 1
        batch.number = self._number
        batch.oldest = max(0, self._number - DELIVERIES_KEPT // size)
        batch.changes = [self._change(flips=flips) for _ in range(size)]
        batch.deliveries = [(n, 0xDEADBEEF) for n in range(size)] if deliveries else []
        await self._store.commit(batch)

    def _change(self, *, flips: bool) -> DeviceChange:
        n, self._reports = self._reports, self._reports + 1
        place = n % len(self._devices)
        device = self._devices[place]
        report = {"temperature": n % 40 + 0.5, "humidity": 41.25, "pressure": 1013.2, "t": time.perf_counter_ns()}
        flip = {"on": not device.state["on"]} if flips and n % 10 == 0 else {}
        after, events = device.reported({**report, **flip}, LIGHT, at=datetime.now(UTC))
        self._devices[place] = after
        return DeviceChange(after, events)


async def load(database: Database, count: int, *, cloud: bool) -> Load:
    await upgrade(database)
    outbox = SqlOutbox(database)
    store = SqlDeviceStore(database, SystemRandomness(), outbox)
    await store.load()
    if cloud:
        await outbox.claimed(lambda _: None, lambda _: None)
    at = datetime.now(UTC)
    devices = []
    for n in range(count):
        device = Device(
            id=SystemRandomness().uuid(),
            external_id=f"d{n}",
            name=f"Device {n}",
            type="light",
            status=Status.ONLINE,
            state={"on": False},
            created_at=at,
            updated_at=at,
        )
        await store.add(
            device, Credential(device_id=device.id, external_id=f"d{n}", digest=f"digest {n}", broker_digest="digest")
        )
        devices.append(device)
    return Load(store, devices)


async def measure(what: str, load: Load, seconds: float) -> None:
    for name, flips, deliveries in (("state", False, False), ("flips", True, False), ("QoS 1", False, True)):
        for size in SIZES:
            for _ in range(WARM_UP):
                await load.commit(size, flips=flips, deliveries=deliveries)
            commits, began, cpu = 0, time.perf_counter(), time.process_time()
            while (elapsed := time.perf_counter() - began) < seconds:
                await load.commit(size, flips=flips, deliveries=deliveries)
                commits += 1
            cpu = time.process_time() - cpu
            print(
                f"{what:<10} {name:<6} {size:>5} a batch {commits * size / elapsed:>8,.0f}/s"
                f" {elapsed / commits * 1e3:>7.2f} ms {cpu / commits * 1e6:>7,.0f} µs CPU"
            )


async def run(seconds: float, devices: int) -> None:
    for cloud in (False, True):
        print("claimed by a cloud that is away" if cloud else "without a cloud")
        with tempfile.TemporaryDirectory() as folder:
            database = open_database(f"sqlite:///{folder}/station.db")
            await measure("SQLite", await load(database, devices, cloud=cloud), seconds)
            await database.close()
        async with Postgres() as server:
            database = open_database(await server.fresh_database())
            await measure("PostgreSQL", await load(database, devices, cloud=cloud), seconds)
            await database.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=1.0, help="for each line")
    arguments.add_argument("--devices", type=int, default=500)
    given = arguments.parse_args()
    uvloop.run(run(given.seconds, given.devices))


if __name__ == "__main__":
    main()
