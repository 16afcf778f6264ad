"""Who uses a station while it suffers: live sockets that count, and a caller of its REST routes."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
import websockets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from tests.system.living import StationProcess

LOGS_IN_EVERY: Final = 300.0  # seconds; an access token lives 15 minutes
SILENCE: Final = 300.0  # seconds
SLOW_FOR: Final = 25.0  # seconds in which a slow socket reads nothing


@dataclass
class Record:
    """What happened so far; `trouble` is the number of the trouble that is going on, 0 when all is calm."""

    trouble: int = 0
    troubles: int = 0
    broken: list[str] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    calm_commands: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    snapshots: int = 0
    connections: int = 0

    def wrong(self, what: str) -> None:
        """An invariant broke."""
        self.broken.append(what)
        print(f"BROKEN: {what}", flush=True)


class Sequel:
    """Checks that nothing is missing in one socket's stream, but what a snapshot makes up for."""

    def __init__(self, name: str, seq: int, record: Record) -> None:
        self._name = name
        self._record = record
        self.seq = seq
        self.snapshots = 1

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            if message["seq"] < self.seq:
                self._record.wrong(f"The {self._name} socket got a snapshot of {message['seq']} after {self.seq}.")
            self.seq = message["seq"]
            self.snapshots += 1
            self._record.snapshots += 1
        elif "seq" in message:
            if message["seq"] != self.seq + 1:
                self._record.wrong(f"The {self._name} socket got {message['seq']} after {self.seq}.")
            self.seq = message["seq"]
            self._record.messages += 1


async def watch(station: StationProcess, record: Record, *, batch: bool) -> None:
    """A live socket, opened again whenever it ends, until cancelled."""
    while True:
        with contextlib.suppress(OSError, websockets.WebSocketException):
            async with station.live(batch=batch) as live:
                record.connections += 1
                sequel = Sequel("batch" if batch else "plain", live.snapshot["seq"], record)
                while True:
                    sequel.take(await live.next(within=SILENCE))
        await asyncio.sleep(0.5)


async def read_slowly(station: StationProcess, record: Record) -> int:
    """A socket that reads nothing for a while and then everything; returns how many snapshots it got."""
    async with station.live() as live:
        record.connections += 1
        sequel = Sequel("slow", live.snapshot["seq"], record)
        await asyncio.sleep(SLOW_FOR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SLOW_FOR):
                while True:
                    sequel.take(await live.next(within=SILENCE))
        return sequel.snapshots


class Caller:
    """Every second lists the devices and toggles one of the lights."""

    def __init__(self, station: StationProcess, lights: Sequence[str], chance: Random, record: Record) -> None:
        self._station = station
        self._lights = lights
        self._chance = chance
        self._record = record

    async def run(self) -> None:
        """Call until cancelled."""
        logged_in = time.monotonic()
        async with httpx.AsyncClient(base_url=self._station.url, timeout=15) as http:
            while True:
                began = time.monotonic()
                if began - logged_in > LOGS_IN_EVERY and not self._record.trouble:
                    with contextlib.suppress(httpx.HTTPError):  # a trouble that begins just now; again in a second
                        await self._station.log_in()
                        logged_in = began
                if (listed := await self._call(http, "GET", "/api/devices")) is not None and listed.status_code == 200:
                    self._record.reads.append(time.monotonic() - began)
                await self._command(http)
                await asyncio.sleep(max(0.0, began + 1.0 - time.monotonic()))

    async def _command(self, http: httpx.AsyncClient) -> None:
        calm = self._calm()
        path = f"/api/devices/{self._chance.choice(self._lights)}/command?wait=2"
        answer = await self._call(http, "POST", path, {"action": "toggle"})
        if answer is None:
            outcome = "unanswered"
        else:
            outcome = answer.json()["status"] if answer.status_code == 200 else answer.json()["code"]
        self._record.commands[outcome] += 1
        if calm is not None and calm == self._calm():
            self._record.calm_commands[outcome] += 1

    async def _call(self, http: httpx.AsyncClient, method: str, path: str, body: Any = None) -> httpx.Response | None:
        calm = self._calm()
        answer: httpx.Response | None = None
        try:
            answer = await http.request(
                method, path, json=body, headers={"Authorization": f"Bearer {self._station.token}"}
            )
        except httpx.TransportError as error:
            said = type(error).__name__
        else:
            said = str(answer.status_code)
        self._record.answers[said] += 1
        if said != "200" and calm is not None and calm == self._calm():
            self._record.wrong(f"{method} {path} was answered {said} while all was calm.")
        return answer

    def _calm(self) -> int | None:
        """The same number over a stretch of calm, None in trouble."""
        return None if self._record.trouble else self._record.troubles


def percentile(seconds: Sequence[float], n: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(seconds, n=100)[n - 1] * 1_000 if len(seconds) > 1 else 0.0
