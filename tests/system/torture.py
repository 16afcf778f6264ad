"""
Acknowledged means kept: writers write numbered records while a killer kills the station, the database, or both.

Run as a module for as many rounds as wanted (`make torture`); tests/system/test_torture.py runs a few. The broker lives
on and keeps the station's session, so a record that it acknowledged must be in the database once: not never, not twice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
import asyncpg
import httpx

from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.system.living import STATION_ID, StationProcess, station_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MQTT_WRITERS: Final = 3
HTTP_WRITERS: Final = 2
READY_WITHIN: Final = 5.0  # seconds, without help
SETTLED_WITHIN: Final = 30.0
WRITERS: Final = [f"w{n}" for n in range(MQTT_WRITERS + HTTP_WRITERS)]
RECORDS: Final = "SELECT payload FROM device_events WHERE event_type = 'event_received'"
STATES: Final = "SELECT external_id, last_known_state FROM devices"

Record = tuple[str, int]
"""Writer and number."""


@dataclass
class Ledger:
    """What was acknowledged to the writers, and what became of it; `states` is the number that each reported last."""

    acknowledged: set[Record] = field(default_factory=set)
    states: dict[str, int] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    slowest_ready: float = 0.0

    def is_in(self, kept: Counter[Record], states: dict[str, int]) -> bool:
        """Whether all that was acknowledged is there."""
        return self.acknowledged <= set(kept) and all(states.get(writer, -1) >= n for writer, n in self.states.items())

    def check(self, kept: Counter[Record], states: dict[str, int]) -> None:
        """Raise `AssertionError` unless all that was acknowledged is kept once, and everybody had something to keep."""
        lost = [record for record in self.acknowledged if record not in kept]
        assert not lost, f"{len(lost)} acknowledged records lost, such as {sorted(lost)[:5]}"
        doubled = [record for record, times in kept.items() if times > 1]
        assert not doubled, f"{len(doubled)} records applied twice, such as {sorted(doubled)[:5]}"
        stale = [writer for writer, n in self.states.items() if states.get(writer, -1) < n]
        assert not stale, f"acknowledged states lost of {stale}"
        assert self.devices <= set(states), f"added devices lost: {self.devices - set(states)}"
        silent = set(WRITERS) - {writer for writer, _ in self.acknowledged}
        assert not silent, f"nothing was ever acknowledged to {silent}"
        assert len(self.states) == MQTT_WRITERS
        assert self.devices


class Torture:
    def __init__(self, station: StationProcess, broker: Mosquitto, postgres: Postgres | None, seed: int) -> None:
        self._station = station
        self._broker = broker
        self._postgres = postgres
        self._random = random.Random(seed)
        self._writing = asyncio.Event()
        self._idle: dict[str, asyncio.Event] = {}
        self._over = False
        self._tokens: dict[str, str] = {}
        self.ledger = Ledger()

    async def run(self, rounds: int, *, check_every: int = 20) -> Ledger:
        """Kill so many times; raise `AssertionError` at the first record that was lost or doubled."""
        for writer in WRITERS:
            self._tokens[writer] = (await self._station.add(writer, "switch-pir"))["deviceToken"]
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(self._write_mqtt(writer)) for writer in WRITERS[:MQTT_WRITERS]]
            writers += [group.create_task(self._write_http(writer)) for writer in WRITERS[MQTT_WRITERS:]]
            writers.append(group.create_task(self._add_devices()))
            self._writing.set()
            try:
                for number in range(1, rounds + 1):
                    await asyncio.sleep(self._random.uniform(0.1, 0.8))
                    await self._kill()
                    if number % check_every == 0 or number == rounds:
                        await self._check()
                        records, ready = len(self.ledger.acknowledged), self.ledger.slowest_ready
                        print(f"  {number} rounds, {records} records, ready within {ready:.1f} s", flush=True)
            finally:
                self._over = True
                for task in writers:
                    task.cancel()
        return self.ledger

    async def _kill(self) -> None:
        choice = ["station", "database", "both", "station"] if self._postgres else ["station"]
        number = self.ledger.kills.total()
        victims = choice[number] if number < len(choice) else self._random.choice(choice)
        self.ledger.kills[victims] += 1
        if self._postgres is not None and victims != "station":
            await self._postgres.kill()
        if victims != "database":
            await self._station.kill()
            if self._postgres is None:
                self._integrity()
        if self._postgres is not None and victims != "station":
            await asyncio.sleep(self._random.uniform(0.0, 0.3))
            await self._postgres.start()
        began = time.monotonic()
        if victims != "database":
            await self._station.start(healthy=False)
        await self._ready()
        self.ledger.slowest_ready = max(self.ledger.slowest_ready, time.monotonic() - began)
        if victims != "database":
            await self._station.log_in()

    async def _ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN), httpx.AsyncClient() as http:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self._station.url}/health/ready")).status_code == 200:
                        return
                await asyncio.sleep(0.02)

    def _integrity(self) -> None:
        # Of a copy: who opens the file itself brings the log home, which is left to the station.
        left = [path for path in (self._station.folder / "data").glob("station.db*") if path.suffix != ".db-shm"]
        with tempfile.TemporaryDirectory() as folder:
            for path in left:
                shutil.copy(path, folder)
            with contextlib.closing(sqlite3.connect(Path(folder) / "station.db")) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    async def _check(self) -> None:
        """With the writers at rest, everything that was acknowledged comes to be kept, once."""
        self._writing.clear()
        for idle in self._idle.values():
            await idle.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_WITHIN):
                # A device that was kept while the answer was lost is shown within a second or so, too.
                while not self.ledger.is_in(*await self._kept()) or await self._shown() != set((await self._kept())[1]):
                    await asyncio.sleep(0.1)
        kept, states = await self._kept()
        self.ledger.check(kept, states)
        shown = await self._shown()
        assert shown == set(states), f"shown alone: {shown - set(states)}, kept alone: {set(states) - shown}"
        self._writing.set()

    async def _shown(self) -> set[str]:
        """The devices that people are shown."""
        return {device["externalId"] for device in (await self._station.call("GET", "/api/devices")).json()}

    async def _kept(self) -> tuple[Counter[Record], dict[str, int]]:
        """How often each record is kept, and the number in each device's state, -1 without one."""
        if self._postgres is None:
            path = self._station.folder / "data" / "station.db"
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                payloads, states = (connection.execute(query).fetchall() for query in (RECORDS, STATES))
        else:
            url = self._station.environment["STATION_DATABASE_URL"].replace("+asyncpg", "")
            connection = await asyncpg.connect(url)
            payloads, states = [await connection.fetch(query) for query in (RECORDS, STATES)]
            await connection.close()
        told = [json.loads(payload)["data"] for (payload,) in payloads]
        records = Counter((data["writer"], data["n"]) for data in told if "writer" in data)
        return records, {device: json.loads(state).get("n", -1) for device, state in states}

    @asynccontextmanager
    async def _turn(self, writer: str) -> AsyncIterator[None]:
        """One record; between two of them a writer rests while the checker looks."""
        if self._over:
            raise asyncio.CancelledError  # said again: `asyncio.wait_for` of Python 3.11 may have forgotten it
        idle = self._idle.setdefault(writer, asyncio.Event())
        if not self._writing.is_set():
            idle.set()
            await self._writing.wait()
        idle.clear()
        yield
        await asyncio.sleep(0.003)

    async def _write_mqtt(self, writer: str) -> None:
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            for n in range(10_000_000):
                async with self._turn(writer):
                    told = {"event": "user_event", "data": {"action": "write", "writer": writer, "n": n}}
                    await client.publish(f"station/{STATION_ID}/device/{writer}/event", json.dumps(told), qos=1)
                    self.ledger.acknowledged.add((writer, n))
                    state = json.dumps({"state": {"n": n}})
                    await client.publish(f"station/{STATION_ID}/device/{writer}/state", state, qos=1)
                    self.ledger.states[writer] = n

    async def _write_http(self, writer: str) -> None:
        async with httpx.AsyncClient(base_url=self._station.url, timeout=10) as http:
            for n in range(10_000_000):
                async with self._turn(writer):
                    told = {"event": "user_event", "data": {"action": "write", "writer": writer, "n": n}}
                    if (
                        await self._answered(http, "/api/device/events", told, {"X-Device-Token": self._tokens[writer]})
                        == 202
                    ):
                        self.ledger.acknowledged.add((writer, n))

    async def _add_devices(self) -> None:
        async with httpx.AsyncClient(base_url=self._station.url, timeout=10) as http:
            for n in range(10_000_000):
                async with self._turn("adder"):
                    body = {"externalId": f"added{n}", "name": f"Added {n}", "type": "pir"}
                    headers = {"Authorization": f"Bearer {self._station.token}"}
                    if await self._answered(http, "/api/devices", body, headers) == 201:
                        self.ledger.devices.add(f"added{n}")
                    await asyncio.sleep(0.05)

    async def _answered(self, http: httpx.AsyncClient, path: str, body: Any, headers: dict[str, str]) -> int:
        """The status, 0 for none: a record without an answer may be kept or not, and isn't written again."""
        try:
            return (await http.post(path, json=body, headers=headers)).status_code
        except httpx.TransportError:
            await asyncio.sleep(0.02)
            return 0


@asynccontextmanager
async def torture(folder: Path, database: str, seed: int) -> AsyncIterator[Torture]:
    """A station over `sqlite` or `postgres` that is about to suffer."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Mosquitto())
        more = {"STATION_MQTT_URL": broker.url}
        postgres: Postgres | None = None
        if database == "postgres":
            postgres = await stack.enter_async_context(Postgres())
            more["STATION_DATABASE_URL"] = await postgres.fresh_database()
        station = await stack.enter_async_context(station_in(folder, **more))
        yield Torture(station, broker, postgres, seed)


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--databases", default="sqlite,postgres")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    # As in the soak: a SIGTERM would leave the station behind.
    torturing = asyncio.current_task()
    assert torturing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, torturing.cancel)
    for database in options.databases.split(","):
        with tempfile.TemporaryDirectory(prefix="station-torture-") as folder:
            began = time.monotonic()
            async with torture(Path(folder), database, options.seed) as victim:
                ledger = await victim.run(options.rounds)
        print(
            f"{database}: {options.rounds} rounds in {time.monotonic() - began:.0f} s, killed {dict(ledger.kills)}; "
            f"{len(ledger.acknowledged)} records, {len(ledger.devices)} devices and the states of {len(ledger.states)} "
            f"acknowledged, none lost, none doubled; slowest ready again after {ledger.slowest_ready:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    asyncio.run(main())
