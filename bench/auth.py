"""
What showing who one is costs.

The CPU of an authenticated GET against the same route without a check; of 500 devices that present their tokens, to
HTTP's check and to the station's own broker; and what others wait for while 20 people log in at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import psutil
import uvloop
from bench.ingest import percentile
from bench.rig import rig
from bench.wire import HttpWire

from station_adapters.credentials.jwt import JwtAccessTokens
from station_adapters.http import app as http_app
from station_adapters.http.callers import Callers
from station_adapters.http.guards import Guards, guards_of
from station_adapters.http.live import LiveHub
from station_adapters.http.server import HttpServer
from station_adapters.memory.home import MemoryPorts
from station_adapters.mosquitto.broker import MosquittoBroker
from station_adapters.mosquitto.files import Listener, Login
from station_adapters.mosquitto.probe import connect_packet
from station_adapters.system.files import write_atomically
from station_core.devices.credentials import Account
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from litestar import Request

    from station_core.home import Home

DEVICES: Final = 500
LOGINS: Final = 20
ROUNDS: Final = 7
EVERY: Final = 0.005  # seconds between two requests of somebody else while people log in
PEOPLE: Final = {"email": "bench@station.local", "password": "a bench's password"}


async def _let_in(request: Request[Any, Any, Any]) -> None:
    """No check at all."""


OPEN: Final = Guards(**dict.fromkeys(Guards.__slots__, _let_in))


async def serve() -> None:
    """Two servers over one home, the second without checks; for a parent that measures this process."""
    ports = MemoryPorts()
    ports.tokens = JwtAccessTokens("0123456789abcdef" * 2)  # type: ignore[assignment]  # both are `AccessTokens`
    async with ports.running() as home, asyncio.TaskGroup() as group:
        login = await home.access.register(email=PEOPLE["email"], password=PEOPLE["password"])
        device, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        guarded = http_app.create_app(home, ports.store, LiveHub(home))
        with mock.patch.object(http_app, "guards_of", return_value=OPEN):
            unguarded = http_app.create_app(home, ports.store, LiveHub(home))
        servers = [HttpServer(app, "127.0.0.1", 0) for app in (guarded, unguarded)]
        for server in servers:
            group.create_task(server.run())
            await server.listening.wait()
        told = {"ports": [server.port for server in servers], "token": login.access_token, "device": device.id}
        print(json.dumps(told), flush=True)
        await asyncio.Event().wait()


async def ratio(requests: int) -> None:
    """The authenticated GET against the same without a check."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.auth", "--serve", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        told = json.loads(await child.stdout.readline())
        wires = [await HttpWire.open(port, told["token"]) for port in told["ports"]]
        process, path = psutil.Process(child.pid), f"/api/devices/{told['device']}"
        spent: list[list[float]] = [[], []]
        for _ in range(ROUNDS):  # in turn, so that what else goes on befalls both
            for wire, costs in zip(wires, spent, strict=True):
                costs.append(await _cost(process, wire, path, requests))
        with_check, without = (min(costs) for costs in spent)
    finally:
        child.terminate()
        await child.wait()
    print(
        f"an authenticated GET costs {with_check:.0f} us of CPU, without a check {without:.0f}: "
        f"{with_check / without:.2f}x (aim: at most 1.60x)",
        flush=True,
    )


async def _cost(process: psutil.Process, wire: HttpWire, path: str, requests: int) -> float:
    before = sum(process.cpu_times()[:2])
    for _ in range(requests):
        reply = await wire.call("GET", path)
        if reply.status != 200:
            raise RuntimeError(reply.body.decode())
    return (sum(process.cpu_times()[:2]) - before) / requests * 1e6


async def burst() -> None:
    """All devices come at once."""
    ports = MemoryPorts()
    async with ports.running() as home:
        tokens = [
            (await home.household.add(external_id=f"d{n}", name=f"D {n}", type_id="light"))[1] for n in range(DEVICES)
        ]
        checks = min([await _checks(home, tokens) for _ in range(ROUNDS)])
    print(
        f"{DEVICES} devices present their tokens: {checks * 1e3:.1f} ms of CPU for HTTP's check, "
        f"{await _enter(tokens) * 1e3:.0f} ms for the own broker and its connections (aim: below 50 ms)",
        flush=True,
    )


class _Presented:
    """A request, as far as the check of a device's token reads it."""

    def __init__(self, token: str) -> None:
        self.scope: dict[str, Any] = {
            "headers": [(b"host", b"station"), (b"accept", b"*/*"), (b"x-device-token", token.encode())]
        }


async def _checks(home: Home, tokens: list[str]) -> float:
    check = guards_of(home, lambda _: False, Callers()).device
    requests: list[Any] = [_Presented(token) for token in tokens]
    before = time.thread_time()
    for request in requests:
        await check(request)
    return time.thread_time() - before


async def _enter(tokens: list[str]) -> float:
    """The broker's CPU seconds for a CONNECT of each, connection and all."""
    with tempfile.TemporaryDirectory(prefix="station-bench-") as folder:
        listener = Listener(host="127.0.0.1", port=free_port())
        own = Login(user="station/own", password="the station's own")
        broker = MosquittoBroker(listener=listener, station=own, folder=Path(folder), write=write_atomically)
        await broker.admit([Account(external_id=f"d{n}", digest=broker.digest(one)) for n, one in enumerate(tokens)])
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(broker.run(ready))
            await ready.wait()
            process = psutil.Process(int((Path(folder) / "pid").read_text()))
            before = sum(process.cpu_times()[:2])
            await asyncio.gather(*(_connect(listener.port, f"d{n}", one) for n, one in enumerate(tokens)))
            spent = sum(process.cpu_times()[:2]) - before
            running.cancel()
    return spent


async def _connect(port: int, external_id: str, token: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(connect_packet(Login(user=external_id, password=token)))
    answer = await reader.readexactly(4)
    if answer[3]:
        raise RuntimeError(f"{external_id} wasn't let in")
    writer.close()


async def logins() -> None:
    """People log in at once, and somebody else goes on with what they do."""
    async with rig("sqlite") as station:
        [device] = await station.add_devices(1, "light")
        wire = await HttpWire.open(station.http_port, station.token)
        quiet = await _waits(wire, device, asyncio.get_running_loop().create_task(asyncio.sleep(2)))
        began = time.perf_counter()
        busy = await _waits(wire, device, asyncio.get_running_loop().create_task(_log_in(station.http_port)))
        took = time.perf_counter() - began
        wire.close()
    print(
        f"while {LOGINS} people log in at once ({took:.1f} s), others wait p50/p99 {percentile(busy, 0.5):.1f}/"
        f"{percentile(busy, 0.99):.1f} ms (aim: p99 below 50 ms), else {percentile(quiet, 0.5):.1f}/"
        f"{percentile(quiet, 0.99):.1f} ms",
        flush=True,
    )


async def _log_in(port: int) -> None:
    wires = [await HttpWire.open(port) for _ in range(LOGINS)]
    replies = await asyncio.gather(
        *(wire.call("POST", "/api/auth/login", json.dumps(PEOPLE).encode()) for wire in wires)
    )
    for wire in wires:
        wire.close()
    if refused := [reply.body.decode() for reply in replies if reply.status != 200]:
        print(f"{len(refused)} of {LOGINS} didn't get in: {refused[0]}", file=sys.stderr)


async def _waits(wire: HttpWire, device: str, meanwhile: asyncio.Task[None]) -> list[float]:
    """Milliseconds of each request until *meanwhile* has ended."""
    taken: list[float] = []
    while not meanwhile.done():
        began = time.perf_counter()
        reply = await wire.call("GET", f"/api/devices/{device}")
        taken.append((time.perf_counter() - began) * 1e3)
        if reply.status != 200:
            raise RuntimeError(reply.body.decode())
        await asyncio.sleep(EVERY)
    await meanwhile
    return taken


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--requests", type=int, default=2_000)
    options = arguments.parse_args()
    if options.serve:
        await serve()
        return
    await ratio(options.requests)
    await burst()
    await logins()


if __name__ == "__main__":
    uvloop.run(main())
