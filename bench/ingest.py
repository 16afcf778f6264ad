"""
State reports through a real Mosquitto until they are committed and seen on a live socket.

For each database and QoS: the highest rate that is sustained with 2,000 reports in flight, its CPU, what twice that
rate does, and the latency at 100/s and 1,000/s. Broker, database, load and station share the machine's cores.

Of twice that rate the broker and the load take twice as much as before, so that less of the cores is left to the
station. What it got is told beside what was seen, and both as reports per second of the station's own CPU: there it
must not fall behind its best. It's counted from when the station has begun to merge what waits; and best and twice take
turns of about a second, for a machine's speed drifts by a quarter from one ten seconds to the next. Then it's offered
twice its best for longer, and its memory is told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import time
from dataclasses import dataclass, field
from typing import Final

import uvloop
import websockets
from bench.rig import STATION, Rig, build, rig
from bench.wire import MqttWire

OTHERS: Final = 11_500  # durable reports/s of a Node.js service with an UPDATE for each message, on two such cores
IN_FLIGHT: Final = 2_000
TURN: Final = 1.25  # seconds
WARM: Final = 0.5  # seconds
TICK: Final = 0.001  # seconds; uvloop counts in them: less is none, and the load would spin
SENT_AT: Final = re.compile(rb'"t":(\d+)')
REPORT: Final = b'"type":"device_state_changed"'


@dataclass(slots=True)
class Viewer:
    """What a live socket shows."""

    seen: int = 0
    latencies: list[float] = field(default_factory=list)
    timed: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, frame: bytes) -> None:
        self.seen += frame.count(REPORT)
        if self.timed:
            now = time.perf_counter_ns()
            self.latencies += [(now - int(sent)) / 1e6 for sent in SENT_AT.findall(frame)]
        self.moved.set()


class Load:
    def __init__(self, mqtt: MqttWire, viewer: Viewer, devices: int, qos: int) -> None:
        self._mqtt = mqtt
        self._viewer = viewer
        self._topics = [f"station/{STATION}/device/d{n}/state".encode() for n in range(devices)]
        self._qos = qos
        self.sent = 0
        self.last = [0] * devices  # what each reported last

    def send(self, count: int) -> None:
        packets = []
        for _ in range(count):
            device = self.sent % len(self._topics)
            self.last[device] = now = time.perf_counter_ns()
            payload = b'{"state":{"temperature":%d.5,"humidity":41.25,"pressure":1013.2,"t":%d}}' % (
                self.sent % 40,
                now,
            )
            packets.append(self._mqtt.packet(self._topics[device], payload, self._qos))
            self.sent += 1
        self._mqtt.transport.write(b"".join(packets))

    async def saturate(self, seconds: float) -> float:
        """Reports/s that were seen, with a bounded number in flight."""
        base_sent, base_seen = self.sent, self._viewer.seen
        began = time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            room = IN_FLIGHT - ((self.sent - base_sent) - (self._viewer.seen - base_seen))
            if room > 0:
                self.send(min(room, 500))
                await asyncio.sleep(0)
            else:
                self._viewer.moved.clear()
                await asyncio.wait_for(self._viewer.moved.wait(), 30)
        return (self._viewer.seen - base_seen) / now

    async def offer(self, rate: float, seconds: float) -> float:
        """Send *rate* reports/s whatever happens; return how many a second were sent."""
        began, base = time.perf_counter(), self.sent
        while (now := time.perf_counter() - began) < seconds:
            due = int(now * rate) - (self.sent - base)
            if due > 0:
                self.send(min(due, 1_000))
                await self._mqtt.writable.wait()
            await asyncio.sleep(0 if due > 100 else TICK)
        return (self.sent - base) / (time.perf_counter() - began)

    async def settled(self, within: float = 60.0) -> None:
        """Return when everything that will be seen was seen."""
        before = -1
        async with asyncio.timeout(within):
            while self._viewer.seen != before:
                before = self._viewer.seen
                await asyncio.sleep(0.5)


class Spent:
    """What the station takes of its cores for what is seen, from each `go_on` to the next `stop`."""

    def __init__(self, station: Rig, viewer: Viewer) -> None:
        self._station = station
        self._viewer = viewer
        self._cpu = self._seconds = 0.0
        self._seen = 0

    def go_on(self) -> None:
        cpu, seconds, seen = self._now()
        self._cpu -= cpu
        self._seconds -= seconds
        self._seen -= seen

    def stop(self) -> None:
        cpu, seconds, seen = self._now()
        self._cpu += cpu
        self._seconds += seconds
        self._seen += seen

    @property
    def rate(self) -> float:
        """Reports that were seen a second."""
        return self._seen / self._seconds

    @property
    def each(self) -> float:
        """Microseconds of CPU for each of them."""
        return self._cpu / max(1, self._seen) * 1e6

    @property
    def share(self) -> float:
        """Of one core."""
        return self._cpu / self._seconds

    def _now(self) -> tuple[float, float, int]:
        return self._station.cpu_seconds(), time.perf_counter(), self._viewer.seen


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


async def watch(port: int, token: str, viewer: Viewer, ready: asyncio.Event) -> None:
    async with websockets.connect(
        f"ws://127.0.0.1:{port}/ws", max_size=None, compression=None, max_queue=None
    ) as socket:
        await socket.send(json.dumps({"type": "auth", "token": token, "batch": True}))
        async for frame in socket:
            viewer.take(frame.encode() if isinstance(frame, str) else frame)
            ready.set()


async def measure(station: Rig, devices: int, qos: int, seconds: float) -> dict[str, float]:
    viewer, ready = Viewer(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(station.http_port, station.token, viewer, ready))
        await ready.wait()
        mqtt = await MqttWire.open(station.mqtt_port, f"load-{devices}-{qos}")
        load = Load(mqtt, viewer, devices, qos)
        figures: dict[str, float] = {}
        for pace in (100, 1_000):
            viewer.timed, viewer.latencies = True, []
            await load.offer(pace, seconds)
            await load.settled()
            figures[f"p50_ms_{pace}"] = percentile(viewer.latencies, 0.5)
            figures[f"p99_ms_{pace}"] = percentile(viewer.latencies, 0.99)
        viewer.timed = False
        best, twice = Spent(station, viewer), Spent(station, viewer)
        offered = 0.0
        await load.saturate(2 * WARM)
        turns = max(1, round(3 * seconds / TURN))
        for _ in range(turns):
            await load.settled()
            best.go_on()
            rate = await load.saturate(TURN)
            best.stop()
            await load.offer(2 * rate, WARM)
            twice.go_on()
            offered += await load.offer(2 * rate, TURN) / turns
            twice.stop()
        figures |= {"rate": best.rate, "cpu_us": best.each, "share": best.share, "offered": offered}
        figures |= {"seen_at_twice": twice.rate, "cpu_us_at_twice": twice.each, "share_at_twice": twice.share}
        await load.offer(2 * best.rate, 2 * seconds)
        figures["rss_at_twice"] = station.megabytes()
        await load.settled()
        figures["rss_after"] = station.megabytes()
        if await station.states() != {f"d{n}": sent for n, sent in enumerate(load.last)}:
            raise RuntimeError("What a device reported last isn't what the database has of it.")
        watching.cancel()
        mqtt.transport.close()
    return figures


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--databases", default="sqlite,postgres")
    arguments.add_argument("--devices", default="100,1000")
    arguments.add_argument("--qos", default="0,1")
    arguments.add_argument("--seconds", type=float, default=5.0)
    options = arguments.parse_args()
    print(f"{os.cpu_count()} cores shared by all, {build()}; others on the same work, durable: {OTHERS}/s")
    for database in options.databases.split(","):
        for devices in map(int, options.devices.split(",")):
            async with rig(database) as station:
                await station.add_devices(devices, "climate")
                idle = station.megabytes()
                print(f"{database}, {devices} devices: first 200 after {station.first_200:.2f} s, {idle:.0f} MB idle")
                for qos in map(int, options.qos.split(",")):
                    f = await measure(station, devices, qos, options.seconds)
                    best, twice = 1e6 / f["cpu_us"], 1e6 / f["cpu_us_at_twice"]
                    print(
                        f"  QoS {qos}: {f['rate']:,.0f}/s = {f['rate'] / OTHERS:.2f} x others, with {f['share']:.2f} "
                        f"of a core, {f['cpu_us']:.0f} us each; "
                        f"p50/p99 {f['p50_ms_100']:.2f}/{f['p99_ms_100']:.2f} ms at 100/s, "
                        f"{f['p50_ms_1000']:.2f}/{f['p99_ms_1000']:.2f} ms at 1,000/s\n"
                        f"    offered {f['offered']:,.0f}/s: {f['seen_at_twice']:,.0f}/s seen, "
                        f"{f['seen_at_twice'] / f['rate']:.0%} of it, with "
                        f"{f['share_at_twice']:.2f} of a core; per CPU second {twice:,.0f}, {twice / best:.0%} of its "
                        f"best {best:,.0f}; {f['rss_at_twice']:.0f} MB, {f['rss_after']:.0f} MB after",
                        flush=True,
                    )


if __name__ == "__main__":
    uvloop.run(main())
