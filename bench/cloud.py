"""
A cloud at the other end of a WSS link on the loopback: what a phone's command takes, what goes up, and an outage's end.

Cloud, broker, load and station share the machine's cores, and the cloud and the load one process. A backlog of events
is carried up while a device reports ten times a second: how long does the cloud wait for these reports?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvloop
from bench.ingest import percentile
from bench.rig import STATION, Rig, rig
from bench.wire import HttpWire, MqttWire

from station_app.simulator.cloud.certificates import ThrowAwayAuthority
from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import StandInCloud
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_app.simulator.cloud.record import Entry

IN_FLIGHT: Final = 32  # calls
REPORTS_IN_FLIGHT: Final = 2_000
LIVE_EVERY: Final = 0.1  # seconds
WITHIN: Final = 600.0  # seconds that any wait has


class Ears:
    """What the cloud hears, counted as it comes."""

    def __init__(self) -> None:
        self.states = 0
        self.pressed: list[int] = []
        self.late = 0
        self.latencies: list[float] = []
        self.moved = asyncio.Event()

    def take(self, entry: Entry) -> None:
        frame = entry.frame
        if entry.what != "heard" or not isinstance(frame, dict) or "method" not in frame:
            return
        params = frame["params"]
        if frame["method"] == "device.stateChanged":
            self.states += 1
            if "t" in params["state"]:
                self.latencies.append((time.perf_counter_ns() - params["state"]["t"]) / 1e6)
        elif frame["method"] == "device.eventReceived":
            self.pressed.append(params["data"]["n"])
            self.late += "late" in params
        self.moved.set()

    async def until(self, count: int) -> None:
        """Return when so many states were heard."""
        async with asyncio.timeout(WITHIN):
            while self.states < count:
                self.moved.clear()
                await self.moved.wait()


class Bench:
    def __init__(self, station: Rig, cloud: StandInCloud, ears: Ears, mqtt: MqttWire, lamp: str) -> None:
        self._station = station
        self._cloud = cloud
        self._ears = ears
        self._mqtt = mqtt
        self._lamp = lamp

    async def calls(self, seconds: float) -> dict[str, float]:
        """`device.command`, fifty a second and then as many as go."""
        alone = []
        for _ in range(int(50 * seconds)):
            began = time.perf_counter()
            await self._command()
            alone.append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(max(0.0, 0.02 - (time.perf_counter() - began)))
        end, count, cpu = time.perf_counter() + seconds, 0, self._station.cpu_seconds()

        async def caller() -> None:
            nonlocal count
            while time.perf_counter() < end:
                await self._command()
                count += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(caller())
        return {
            "p50": percentile(alone, 0.5),
            "p99": percentile(alone, 0.99),
            "rate": count / seconds,
            "cpu_us": (self._station.cpu_seconds() - cpu) / count * 1e6,
        }

    async def states(self, seconds: float) -> dict[str, float]:
        """Reports as fast as the cloud hears of them."""
        await asyncio.sleep(1.0)  # what the calls have left behind
        first, sent, cpu, began = self._ears.states, 0, self._station.cpu_seconds(), time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            await self._ears.until(first + sent - REPORTS_IN_FLIGHT)
            for _ in range(200):
                self._report({"temperature": sent % 40 + 0.5, "humidity": 41.25, "pressure": 1013.2}, sent % 100)
                sent += 1
            await asyncio.sleep(0)
        heard = self._ears.states - first
        await self._ears.until(first + sent)
        return {"rate": heard / now, "cpu_us": (self._station.cpu_seconds() - cpu) / sent * 1e6}

    async def fill(self, count: int) -> None:
        """Events while there's no cloud, until the last of them is kept."""
        for n in range(count):
            payload = json.dumps({"event": "user_event", "data": {"action": "press", "n": n}}).encode()
            topic = f"station/{STATION}/device/d{n % 100}/event".encode()
            self._mqtt.transport.write(self._mqtt.packet(topic, payload, 1))
            if n % 500 == 0:
                await self._mqtt.writable.wait()
                await asyncio.sleep(0)
            while n - self._mqtt.acknowledged > REPORTS_IN_FLIGHT:
                await asyncio.sleep(0.001)
        http = await HttpWire.open(self._station.http_port, self._station.token)
        async with asyncio.timeout(WITHIN):
            while True:
                reply = await http.call("GET", "/api/device-events?limit=1&eventType=event_received")
                [newest] = json.loads(reply.body)["items"]
                if newest["payload"]["data"].get("n") == count - 1:
                    break
                await asyncio.sleep(0.05)
        http.close()

    async def drain(self, count: int) -> dict[str, float]:
        """What waited goes up while a device reports."""
        async with asyncio.timeout(WITHIN):
            while not self._ears.pressed:
                await asyncio.sleep(0.05)
            self._ears.latencies.clear()
            began, cpu = time.perf_counter(), self._station.cpu_seconds()
            while len(self._ears.pressed) < count:
                self._report({"t": time.perf_counter_ns()}, 0)
                await asyncio.sleep(LIVE_EVERY)
        elapsed = time.perf_counter() - began
        if self._ears.pressed != list(range(count)):
            raise RuntimeError("The backlog came in another order, or more than once.")
        latencies = self._ears.latencies
        return {
            "seconds": elapsed,
            "p50": percentile(latencies, 0.5),
            "p99": percentile(latencies, 0.99),
            "most": max(latencies),
            "cpu_us": (self._station.cpu_seconds() - cpu) / count * 1e6,
            "late": self._ears.late,
        }

    async def _command(self) -> None:
        answer = await self._cloud.link.call("device.command", {"deviceId": self._lamp, "command": "toggle"})
        if answer.get("result") != {"status": "ok"}:
            raise RuntimeError(json.dumps(answer))

    def _report(self, state: dict[str, Any], device: int) -> None:
        topic = f"station/{STATION}/device/d{device}/state".encode()
        self._mqtt.transport.write(self._mqtt.packet(topic, json.dumps({"state": state}).encode(), 0))


@asynccontextmanager
async def linked(database: str, cloud: StandInCloud, ears: Ears, **settings: str) -> AsyncIterator[Bench]:
    async with rig(database, **settings) as station:
        lamp, *_ = await station.add_devices(100, "light")
        mqtt = await MqttWire.open(station.mqtt_port, "load")
        hello = b'{"type":"light","firmwareVersion":"1.0"}'
        for n in range(100):
            mqtt.transport.write(mqtt.packet(f"station/{STATION}/device/d{n}/handshake".encode(), hello, 1))
        async with asyncio.timeout(WITHIN):
            await cloud.until(lambda: bool(cloud.links) and cloud.links[-1].authenticated)
            while "result" not in await cloud.link.call("device.command", {"deviceId": lamp, "command": "toggle"}):
                await asyncio.sleep(0.01)
        yield Bench(station, cloud, ears, mqtt, lamp)
        mqtt.transport.close()


async def measure(database: str, seconds: float, backlog: int) -> None:
    authority, ears, port = ThrowAwayAuthority(), Ears(), free_port()
    cloud = StandInCloud(Record(ears.take), authority.server())
    with tempfile.TemporaryDirectory() as folder:
        trusted = Path(folder) / "ca.pem"
        trusted.write_bytes(authority.pem)
        settings = {"STATION_CLOUD_HOST": f"127.0.0.1:{port}", "STATION_CLOUD_CA_FILE": str(trusted)}
        async with AsyncExitStack() as there:
            await there.enter_async_context(cloud.serving(port=port))
            async with linked(database, cloud, ears, **settings) as bench:
                f = await bench.calls(seconds)
                print(
                    f"{database}: device.command p50/p99 {f['p50']:.2f}/{f['p99']:.2f} ms at 50/s; "
                    f"{f['rate']:,.0f} calls/s with {IN_FLIGHT} in flight, {f['cpu_us']:.0f} us CPU each",
                    flush=True,
                )
                f = await bench.states(seconds)
                print(
                    f"  states up: {f['rate']:,.0f}/s, {f['cpu_us']:.0f} us CPU each, with MQTT and database",
                    flush=True,
                )
                await there.aclose()
                await bench.fill(backlog)
                await there.enter_async_context(cloud.serving(port=port))
                f = await bench.drain(backlog)
                print(
                    f"  backlog of {backlog:,}: {f['seconds']:.1f} s, {f['late']:,.0f} late, {f['cpu_us']:.0f} us CPU; "
                    f"live meanwhile p50/p99/most {f['p50']:.1f}/{f['p99']:.1f}/{f['most']:.1f} ms",
                    flush=True,
                )


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--databases", default="sqlite,postgres")
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--backlog", type=int, default=100_000)
    options = arguments.parse_args()
    for database in options.databases.split(","):
        await measure(database, options.seconds, options.backlog)


if __name__ == "__main__":
    uvloop.run(main())
