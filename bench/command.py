"""
REST call to MQTT message: authenticated `POST /api/devices/{id}/command` until the device has it, and until the answer.

Paced at 50 a second for the latency, then with 16 in flight for the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from typing import Final

import uvloop
from bench.ingest import percentile
from bench.rig import STATION, Rig, build, rig
from bench.wire import HttpWire, MqttWire

OTHERS: Final = {"Home Assistant": "1.4/3.9 ms, 2,230/s", "Node.js": "1.0/1.4 ms, 9,840/s"}
COMMAND: Final = b'{"action":"toggle"}'
IN_FLIGHT: Final = 16


async def measure(station: Rig, seconds: float) -> dict[str, float]:
    [device] = await station.add_devices(1, "light")
    came: list[float] = []
    mqtt = await MqttWire.open(station.mqtt_port, "d0", lambda _: came.append(time.perf_counter()))
    mqtt.subscribe(f"station/{STATION}/device/d0/command")
    await mqtt.subscribed.wait()
    hello = b'{"type":"light","firmwareVersion":"1.0"}'
    mqtt.transport.write(mqtt.packet(f"station/{STATION}/device/d0/handshake".encode(), hello, 1))
    path = f"/api/devices/{device}/command"
    http = await HttpWire.open(station.http_port, station.token)
    while (await http.call("POST", path, COMMAND)).status != 200:
        await asyncio.sleep(0.01)
    came.clear()
    seen, answered = [], []
    for _ in range(int(50 * seconds)):
        began = time.perf_counter()
        await http.call("POST", path, COMMAND)
        answered.append((time.perf_counter() - began) * 1e3)
        while not came:
            await asyncio.sleep(0)
        seen.append((came.pop() - began) * 1e3)
        await asyncio.sleep(max(0.0, 0.02 - (time.perf_counter() - began)))
    end = time.perf_counter() + seconds
    calls = 0
    cpu = station.cpu_seconds()

    async def caller() -> None:
        nonlocal calls
        wire = await HttpWire.open(station.http_port, station.token)
        while time.perf_counter() < end:
            reply = await wire.call("POST", path, COMMAND)
            if reply.status != 200:
                raise RuntimeError(reply.body.decode())
            calls += 1
        wire.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(caller())
    return {
        "seen_p50": percentile(seen, 0.5),
        "seen_p99": percentile(seen, 0.99),
        "answered_p50": percentile(answered, 0.5),
        "answered_p99": percentile(answered, 0.99),
        "rate": calls / seconds,
        "cpu_us": (station.cpu_seconds() - cpu) / calls * 1e6,
    }


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--databases", default="sqlite,postgres")
    arguments.add_argument("--seconds", type=float, default=5.0)
    options = arguments.parse_args()
    print(
        f"{os.cpu_count()} cores shared by all, {build()}; others:",
        "; ".join(f"{name} {figures}" for name, figures in OTHERS.items()),
    )
    for database in options.databases.split(","):
        async with rig(database) as station:
            f = await measure(station, options.seconds)
            print(
                f"{database}: seen by the device p50/p99 {f['seen_p50']:.2f}/{f['seen_p99']:.2f} ms, "
                f"answered {f['answered_p50']:.2f}/{f['answered_p99']:.2f} ms at 50/s; "
                f"{f['rate']:,.0f} calls/s with {IN_FLIGHT} in flight, {f['cpu_us']:.0f} us CPU each",
                flush=True,
            )


if __name__ == "__main__":
    uvloop.run(main())
