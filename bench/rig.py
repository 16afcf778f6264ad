"""
A station as a household runs it, in a process of its own, with its broker and its database, for a bench to load.

Where that's allowed, as root, the station has the niceness of its service.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
import psutil
from bench.wire import HttpWire

from station_adapters.mosquitto.broker import YIELDS
from tests.servers.mosquitto import Mosquitto
from tests.servers.ports import free_port
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable

STATION: Final = "bench"
UP_WITHIN: Final = 30.0  # seconds
STATES: Final = "SELECT external_id, last_known_state FROM devices"
NICE: Final = -10  # of the station, see deploy/station.service


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    http_port: int
    mqtt_port: int
    token: str
    broker: Mosquitto
    process: psutil.Process
    first_200: float
    """Seconds from the start of the process to the first 200 of /health."""
    stored: Callable[[], Awaitable[list[tuple[str, str]]]]
    """External id and state of each device, as the database has them."""

    async def add_devices(self, count: int, type_id: str) -> list[str]:
        """Add devices named d0, d1, …; return their ids."""
        http = await HttpWire.open(self.http_port, self.token)
        ids: list[str] = []
        for n in range(count):
            body = json.dumps({"externalId": f"d{n}", "name": f"Device {n}", "type": type_id}).encode()
            reply = await http.call("POST", "/api/devices", body)
            if reply.status != 201:
                raise RuntimeError(reply.body.decode())
            ids.append(json.loads(reply.body)["id"])
        http.close()
        return ids

    async def states(self) -> dict[str, int]:
        """The `t` in each device's state, as the database has it."""
        return {external_id: json.loads(state).get("t", 0) for external_id, state in await self.stored()}

    def megabytes(self) -> float:
        return float(self.process.memory_info().rss) / 1e6

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextlib.asynccontextmanager
async def rig(database: str, **settings: str) -> AsyncIterator[Rig]:
    """A running station over `sqlite` or `postgres`, with an owner; ended and its folder removed on leaving."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="station-bench-")))
        broker = await stack.enter_async_context(Mosquitto())
        environment = {
            **os.environ,
            "STATION_DATA_DIR": str(folder / "data"),
            "STATION_ID": STATION,
            "STATION_HTTP_HOST": "127.0.0.1",
            "STATION_HTTP_PORT": str(http_port := free_port()),
            "STATION_MQTT_URL": f"mqtt://127.0.0.1:{broker.port}",
            "STATION_BLE_TRANSPORT": "off",
            "STATION_LOG_LEVEL": "warning",
            **settings,
        }
        stored = partial(_sqlite, folder / "data" / "station.db")
        if database == "postgres":
            server = await stack.enter_async_context(Postgres())
            environment["STATION_DATABASE_URL"] = url = await server.fresh_database()
            stored = partial(_postgres, url)
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "station_app", "serve", env=environment)
        stack.push_async_callback(_end, process)
        _prefer(process.pid, broker.pid)
        await _healthy(process, http_port)
        first_200 = time.perf_counter() - began
        http = await HttpWire.open(http_port)
        body = json.dumps({"email": "bench@station.local", "password": "a bench's password"}).encode()
        reply = await http.call("POST", "/api/auth/register", body)
        http.close()
        yield Rig(
            http_port=http_port,
            mqtt_port=broker.port,
            token=json.loads(reply.body)["accessToken"],
            broker=broker,
            process=psutil.Process(process.pid),
            first_200=first_200,
            stored=stored,
        )


def build() -> str:
    """Which Python: how it was compiled makes a fifth."""
    return f"Python {platform.python_version()} ({platform.python_build()[1]}, {platform.python_compiler()})"


async def _sqlite(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(STATES).fetchall()


async def _postgres(url: str) -> list[tuple[str, str]]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(STATES)]
    finally:
        await connection.close()


def _prefer(station: int, broker: int) -> None:
    """As deploy/station.service starts the station, and the station its own broker; what they start inherits it."""
    with contextlib.suppress(psutil.AccessDenied):
        psutil.Process(station).nice(NICE)
    psutil.Process(broker).nice(psutil.Process(station).nice() + YIELDS)


async def _healthy(process: Process, port: int) -> None:
    async with asyncio.timeout(UP_WITHIN):
        while process.returncode is None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                http = await HttpWire.open(port)
                reply = await http.call("GET", "/health")
                http.close()
                if reply.status == 200:
                    return
            await asyncio.sleep(0.01)
    raise RuntimeError(f"The station ended with {process.returncode}.")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
