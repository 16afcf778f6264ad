"""How long a scrape of a station with many devices takes, as a scraper on the same machine sees it."""

from __future__ import annotations

import argparse
import asyncio
import time
from statistics import median

import uvloop
from bench.rig import rig
from bench.wire import HttpWire

SCRAPES = 50


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--databases", default="sqlite,postgres")
    arguments.add_argument("--devices", type=int, default=1000)
    options = arguments.parse_args()
    for database in options.databases.split(","):
        async with rig(database) as station:
            await station.add_devices(options.devices, "climate")
            wire = await HttpWire.open(station.http_port, station.token)
            await wire.call("GET", "/metrics")  # the first one brings the library in
            taken: list[float] = []
            size = 0
            spent = station.cpu_seconds()
            for _ in range(SCRAPES):
                began = time.perf_counter()
                reply = await wire.call("GET", "/metrics")
                taken.append((time.perf_counter() - began) * 1e3)
                if reply.status != 200:
                    raise RuntimeError(reply.body.decode())
                size = len(reply.body)
                await asyncio.sleep(0.02)
            wire.close()
            spent = (station.cpu_seconds() - spent) / SCRAPES * 1e3
            print(
                f"{database}, {options.devices} devices: a scrape takes p50/max "
                f"{median(taken):.2f}/{max(taken):.2f} ms, {spent:.2f} ms of CPU, {size / 1e3:.0f} kB",
                flush=True,
            )


if __name__ == "__main__":
    uvloop.run(main())
