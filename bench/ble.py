"""What devices on a virtual air cost: from advertisement to live socket, and many that advertise all the time."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from statistics import median, quantiles
from typing import Any

import uvloop
from websockets.asyncio.client import connect

from station_adapters.ble.virtual import Peripheral, VirtualAir, VirtualRadio
from station_adapters.http.app import create_app
from station_adapters.http.live import LiveHub
from station_adapters.http.server import HttpServer
from station_adapters.memory.home import MemoryPorts
from station_adapters.system.clock import SystemClock
from station_core.health import MQTT, Phase
from station_core.home import Home

SERVICE = "12c158d5-220f-4be9-b46a-a235f44c412a"  # docs/protocols.md §2
OWNER: dict[str, Any] = {"email": "bench@example.org", "password": "correct horse battery"}


def peripheral(n: int) -> Peripheral:
    """A fresh device that names itself in its service data."""
    return Peripheral(address=f"F0:00:00:00:{n // 256:02X}:{n % 256:02X}", service_data={SERVICE: b"pir:x%d" % n})


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=200)
    arguments.add_argument("--rate", type=float, default=10.0)
    arguments.add_argument("--seconds", type=float, default=10.0)
    options = arguments.parse_args()
    ports, air = MemoryPorts(), VirtualAir()
    home = Home(
        store=ports.store,
        identities=ports.identities,
        link=ports.link,
        door=ports.door,
        passwords=ports.passwords,
        tokens=ports.tokens,
        clock=SystemClock(),
        randomness=ports.randomness,
        station_id="bench",
        radio=VirtualRadio(air, SERVICE, every=3600.0),
    )
    await home.load()
    home.health.tell(MQTT, up=True)
    home.health.phase = Phase.SERVING
    token = (await home.access.register(name="Bench", **OWNER)).access_token
    hub = LiveHub(home)
    server = HttpServer(create_app(home, ports.store, hub), "127.0.0.1", 0)
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for work in (home.run, hub.run, server.run)]
        await server.listening.wait()
        async with connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None, compression=None, max_size=None) as socket:
            await socket.send(json.dumps({"type": "auth", "token": token}))
            await socket.recv()
            while not air.scans:
                await asyncio.sleep(0.01)
            taken = []
            for n in range(options.devices):
                began = time.perf_counter()
                air.place(peripheral(n))
                while f'"x{n}"' not in str(await socket.recv()):
                    pass
                taken.append((time.perf_counter() - began) * 1e3)
            print(f"advertisement to live socket: p50 {median(taken):.2f} ms, p99 {quantiles(taken, n=100)[98]:.2f} ms")
            share = await _load(air, options.devices, options.rate, options.seconds, group, socket)
            print(
                f"{options.devices} devices advertising {options.rate:.0f} times a second: {share:.1%} of a core, "
                "the socket's client among it"
            )
        for worker in workers:
            worker.cancel()


async def _load(
    air: VirtualAir, devices: int, rate: float, seconds: float, group: asyncio.TaskGroup, socket: object
) -> float:
    """The share of a core that this process takes meanwhile."""

    async def listen() -> None:
        async for _ in socket:  # type: ignore[attr-defined]
            pass

    listening = group.create_task(listen())
    fleet = [peripheral(n) for n in range(devices)]
    began, cpu = time.perf_counter(), time.process_time()
    part, turn = max(1, devices // 10), 0
    while (now := time.perf_counter()) < began + seconds:
        for device in fleet[turn * part % devices :][:part]:
            air.advertise(device)
        turn += 1
        await asyncio.sleep(max(0.0, began + turn * part / devices / rate - now))
    listening.cancel()
    return (time.process_time() - cpu) / (time.perf_counter() - began)


if __name__ == "__main__":
    uvloop.run(main())
