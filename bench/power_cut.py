"""
A power cut in a building: the broker is killed and comes back empty, then 500 devices connect and report within 10 s.

Prints when all were ready, what REST calls took meanwhile, and what commands took ten seconds later.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import TYPE_CHECKING

import uvloop
from bench.ingest import percentile
from bench.rig import STATION, rig
from bench.wire import HttpWire

from station_app.simulator.firmware import Phase
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home

if TYPE_CHECKING:
    from bench.rig import Rig

ALL_WITHIN = 60.0  # seconds
RATE = 0.1  # reports a second of each device: all have reported within ten seconds


async def rest(station: Rig, stop: asyncio.Event, took: list[float]) -> None:
    http = await HttpWire.open(station.http_port, station.token)
    while not stop.is_set():
        began = time.perf_counter()
        reply = await http.call("GET", "/api/devices")
        took.append(time.perf_counter() - began)
        assert reply.status == 200
        await asyncio.sleep(0.05)


async def online(station: Rig) -> int:
    http = await HttpWire.open(station.http_port, station.token)
    devices = json.loads((await http.call("GET", "/api/devices")).body)
    http.close()
    assert len({device["externalId"] for device in devices}) == len(devices)
    return sum(device["status"] == "online" for device in devices)


async def reported(fleet: Fleet) -> None:
    """Return when each has reported once more, which takes ten seconds in itself."""
    before = {device.external_id: device.firmware.tally.reports for device in fleet}
    for device in fleet:
        await device.until(lambda device: device.firmware.tally.reports > before[device.external_id])


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--databases", default="sqlite,postgres")
    arguments.add_argument("--devices", type=int, default=500)
    options = arguments.parse_args()
    for database in options.databases.split(","):
        async with rig(database) as station, asyncio.TaskGroup() as group:
            ids = await station.add_devices(options.devices, "light")
            home = Home(host="127.0.0.1", port=station.mqtt_port, station_id=STATION)
            members = [(f"d{n}", "light", None) for n in range(options.devices)]
            fleet = Fleet.of(members, home, rate=RATE)
            living = group.create_task(fleet.run())
            await fleet.until_all(Phase.OPERATIONAL)
            stop, took = asyncio.Event(), list[float]()
            calling = group.create_task(rest(station, stop, took))
            await station.broker.restart()
            began = time.perf_counter()
            async with asyncio.timeout(ALL_WITHIN):
                await asyncio.sleep(0.5)
                await fleet.until_all(Phase.OPERATIONAL)
                while await online(station) < options.devices:
                    await asyncio.sleep(0.1)
                ready = time.perf_counter() - began
                await reported(fleet)
            stop.set()
            await calling
            await asyncio.sleep(10)
            http = await HttpWire.open(station.http_port, station.token)
            commanded: list[float] = []
            for device_id in ids[:200]:
                sent = time.perf_counter()
                reply = await http.call("POST", f"/api/devices/{device_id}/command?wait=5", b'{"action":"toggle"}')
                commanded.append(time.perf_counter() - sent)
                assert json.loads(reply.body)["status"] == "applied", reply
            living.cancel()
            print(
                f"{database}: {options.devices} devices ready {ready:.1f} s after the broker's return; "
                f"REST p99 {percentile(took, 0.99) * 1e3:.0f} ms meanwhile; "
                f"commands applied, p95 {percentile(commanded, 0.95) * 1e3:.0f} ms, ten seconds later",
                flush=True,
            )


if __name__ == "__main__":
    uvloop.run(main())
