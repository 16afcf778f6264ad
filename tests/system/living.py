"""A whole station in a process of its own, as a household runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
import websockets

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

UP_WITHIN: Final = 30.0  # seconds
DOWN_WITHIN: Final = 10.0  # seconds from SIGTERM (docs/protocols.md §4)
OWNER: Final = {"email": "owner@example.org", "password": "correct horse battery"}
STATION_ID: Final = "S1"


async def eventually(what: Callable[[], bool], within: float = 20.0) -> None:
    """Return once *what* holds."""
    async with asyncio.timeout(within):
        while not what():  # nothing tells of it
            await asyncio.sleep(0.02)


@dataclass
class StationProcess:
    """One station over the starts and ends of its process: its folder and its ports stay."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (sys.executable, "-m", "station_app")
    http_port: int = field(default_factory=free_port)
    mqtt_port: int = field(default_factory=free_port)
    process: Process | None = None
    token: str = ""
    stderr: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self, *, healthy: bool = True) -> None:
        """Start the process; with *healthy*, return at the first 200 of /health."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STATION_")}
        environment |= {
            "STATION_DATA_DIR": str(self.folder / "data"),
            "STATION_ID": STATION_ID,
            "STATION_HTTP_HOST": "127.0.0.1",
            "STATION_HTTP_PORT": str(self.http_port),
            "STATION_MQTT_HOST": "127.0.0.1",
            "STATION_MQTT_PORT": str(self.mqtt_port),
            "STATION_BLE_TRANSPORT": "off",
            "STATION_LOG_FORMAT": "json",
            **self.environment,
        }
        with (self.folder / "stderr").open("ab") as stderr:
            self.process = await asyncio.create_subprocess_exec(*self.command, "serve", env=environment, stderr=stderr)
        if healthy:
            await self.healthy()

    async def healthy(self, within: float = UP_WITHIN) -> None:
        """Return at the first 200 of /health."""
        assert self.process is not None
        async with asyncio.timeout(within), httpx.AsyncClient() as http:
            while self.process.returncode is None:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.url}/health")).status_code == 200:
                        return
                await asyncio.sleep(0.02)
        raise AssertionError(f"the station ended with {self.process.returncode}: {self.log()}")

    async def stop(self, ending: signal.Signals = signal.SIGTERM) -> int:
        """End it as an operator does and return its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(ending)
        async with asyncio.timeout(DOWN_WITHIN):
            return await self.process.wait()

    async def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    async def log_in(self) -> None:
        """Register the owner, or log in as the owner; `call` uses the token."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            answer = await http.post("/api/auth/register", json=OWNER)
            if answer.status_code == 403:
                answer = await http.post("/api/auth/login", json=OWNER)
            answer.raise_for_status()
            self.token = answer.json()["accessToken"]

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call, authenticated once somebody is logged in."""
        async with httpx.AsyncClient(base_url=self.url, timeout=15) as http:
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            return await http.request(method, path, headers=headers, **more)

    async def figures(self) -> str:
        """What it tells of itself in Prometheus's format."""
        return (await self.call("GET", "/metrics")).raise_for_status().text

    async def add(self, external_id: str, type_id: str = "light") -> dict[str, Any]:
        """A new device, with its token."""
        body = {"externalId": external_id, "name": external_id.title(), "type": type_id}
        answer = await self.call("POST", "/api/devices", json=body)
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    async def device(self, device_id: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/api/devices/{device_id}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def events(self, device_id: str) -> list[dict[str, Any]]:
        """All of a device's activity, oldest first."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            parameters = {"limit": "500"} | ({"cursor": cursor} if cursor else {})
            page = (await self.call("GET", f"/api/devices/{device_id}/events", params=parameters)).json()
            items += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return items[::-1]

    @asynccontextmanager
    async def live(self, *, batch: bool = False) -> AsyncIterator[LiveSocket]:
        """An authenticated live socket, after its snapshot."""
        async with websockets.connect(f"ws://127.0.0.1:{self.http_port}/ws", compression=None, max_size=None) as socket:
            await socket.send(json.dumps({"type": "auth", "token": self.token, "batch": batch}))
            yield LiveSocket(socket, json.loads(await socket.recv()))


@dataclass
class LiveSocket:
    socket: ClientConnection
    snapshot: Any
    _ahead: list[dict[str, Any]] = field(default_factory=list)

    async def next(self, within: float = 10) -> dict[str, Any]:
        """The next message, also out of a batch."""
        while not self._ahead:
            async with asyncio.timeout(within):
                frame = json.loads(await self.socket.recv())
            self._ahead = frame if isinstance(frame, list) else [frame]
        return self._ahead.pop(0)

    async def until(self, kind: str, within: float = 10) -> dict[str, Any]:
        """The next message of this type; *within* so many seconds of silence."""
        while (message := await self.next(within))["type"] != kind:
            pass
        return message


@asynccontextmanager
async def station_in(folder: Path, **environment: str) -> AsyncIterator[StationProcess]:
    """A station that was started and whose owner is logged in; ended, however, on leaving."""
    station = StationProcess(folder, environment)
    try:
        await station.start()
        await station.log_in()
        yield station
    finally:
        if station.process is not None and station.process.returncode is None:
            await station.kill()
