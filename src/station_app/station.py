from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from station_app.supervisor import Supervisor
from station_core.errors import StoreFull, StoreUnavailable
from station_core.health import CLOUD, MQTT, STORE, Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_adapters.cloud.link import CloudLink
    from station_adapters.control.server import ControlServer
    from station_adapters.http.live import LiveHub
    from station_adapters.http.server import HttpServer
    from station_adapters.mosquitto.broker import MosquittoBroker
    from station_adapters.mqtt.inbound import Inbound
    from station_adapters.mqtt.link import MqttLink
    from station_adapters.sql.engine import Database
    from station_adapters.sql.lock import StoreLock
    from station_core.clock import Clock
    from station_core.home import Home

log = logging.getLogger("station")

STORE_BACK_OFF: Final = (0.1, 2.0)  # seconds between attempts to reach the store at the start: first, longest
# Seconds at the end. Each step has its own, and none more than what is left of the whole, which is below the 10 of
# docs/protocols.md §4.
STOP_WITHIN: Final = 9.5
DRAIN_WITHIN: Final = 3.5  # for what was read to be kept
HTTP_WITHIN: Final = 2.0
WORKER_WITHIN: Final = 1.0
BROKER_WITHIN: Final = 2.5
STORE_WITHIN: Final = 1.0
ENDED_FIRST: Final = ("start", "leaving", "cloud", "control")
KEEPING: Final = ("audit", "journal")
"""Workers of the home that keep what the others leave."""


class Station:
    """
    The order of life (decision 10).

    Start: HTTP listens, then the store is locked, brought to the newest revision and loaded, then the broker, then the
    subscription, then everything is served. Stop: nothing new is taken in, what was read is kept, then the ends close.
    """

    def __init__(
        self,
        *,
        home: Home,
        clock: Clock,
        server: HttpServer,
        control: ControlServer,
        hub: LiveHub,
        database: Database,
        store_lock: StoreLock,
        upgrade: Callable[[Database], Awaitable[None]],
        link: MqttLink,
        inbound: Inbound,
        broker: MosquittoBroker | None,
        cloud: CloudLink | None,
    ) -> None:
        self._home = home
        self._clock = clock
        self._server = server
        self._control = control
        self._hub = hub
        self._database = database
        self._store_lock = store_lock
        self._upgrade = upgrade
        self._link = link
        self._inbound = inbound
        self._broker = broker
        self._cloud = cloud

    async def run(self, stop: asyncio.Event, serving: asyncio.Event) -> None:
        """
        Live until *stop* is set; set *serving* once all is served.

        Raise what no retry can mend: `SettingInvalid`, `StoreTaken`.
        """
        async with asyncio.TaskGroup() as group:
            supervisor = Supervisor(group=group, health=self._home.health, clock=self._clock, on_fatal=stop.set)
            supervisor.once("start", lambda: self._start(supervisor, serving))
            supervisor.once("leaving", lambda: self._leave(stop))
            try:
                await stop.wait()
            finally:
                log.info("station stops")
                await self._stop(supervisor)
        if supervisor.fatal is not None:
            raise supervisor.fatal

    async def _leave(self, stop: asyncio.Event) -> None:
        await self._home.reset.leaving.wait()
        log.warning("the station ends: the cloud has given it up, and its next run begins unclaimed")
        stop.set()

    async def _start(self, supervisor: Supervisor, serving: asyncio.Event) -> None:
        supervisor.keep("control", self._control.run)
        supervisor.keep("http", self._server.run)
        await self._server.listening.wait()
        supervisor.keep("live", self._hub.run)
        await self._open_store(supervisor)
        broker_ready, subscribed = asyncio.Event(), asyncio.Event()
        if self._broker is None:
            supervisor.keep("link", lambda: self._link.run(self._inbound, subscribed), part=MQTT)
        else:
            broker = self._broker
            supervisor.keep("broker", lambda: broker.run(broker_ready), part=MQTT)
            supervisor.keep("link", lambda: self._link_to_own(broker_ready, subscribed), part=MQTT)
            await subscribed.wait()
        self._home.health.phase = Phase.SERVING
        serving.set()
        if self._cloud is not None:
            supervisor.keep("cloud", self._cloud.run, part=CLOUD)
        log.info("station serves")

    async def _link_to_own(self, ready: asyncio.Event, subscribed: asyncio.Event) -> None:
        await ready.wait()
        await self._link.run(self._inbound, subscribed)

    async def _open_store(self, supervisor: Supervisor) -> None:
        pause, longest = STORE_BACK_OFF
        told = ""
        self._home.health.expect(STORE, "not reached yet")
        while True:
            try:
                await self._store_lock.acquire()
                await self._upgrade(self._database)
                await self._home.load()
                break
            except (StoreUnavailable, StoreFull) as error:
                self._home.health.tell(STORE, up=False, detail=str(error))
                if told != (told := str(error)):  # once, not on each attempt
                    log.warning("the store is not there yet", extra={"reason": told})
                await self._clock.sleep(pause)
                pause = min(pause * 2, longest)
        if told:
            log.info("the store is there")
        supervisor.keep("store lock", self._hold_store, part=STORE)
        for name, run in self._home.workers.items():
            supervisor.keep(name, run)

    async def _hold_store(self) -> None:
        await self._store_lock.acquire()
        self._home.health.tell(STORE, up=True)
        await self._store_lock.run()

    async def _stop(self, supervisor: Supervisor) -> None:
        now = asyncio.get_running_loop().time
        over = now() + STOP_WITHIN

        def left(most: float) -> float:
            return max(0.0, min(most, over - now()))

        self._home.health.phase = Phase.STOPPING
        makers = [name for name in reversed(self._home.workers) if name not in KEEPING]
        for name in (*ENDED_FIRST, *makers):
            await supervisor.end(name, within=left(WORKER_WITHIN))
        self._link.stop_reading()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left(DRAIN_WITHIN)):
                await self._inbound.drained()
                await self._home.journal.drained()
                await self._home.audit.drained()
        await supervisor.end("http", within=left(HTTP_WITHIN))
        for name in ("live", "link"):
            await supervisor.end(name, within=left(WORKER_WITHIN))
        await supervisor.end("broker", within=left(BROKER_WITHIN))
        for name in (*KEEPING, "store lock"):
            await supervisor.end(name, within=left(WORKER_WITHIN))
        with contextlib.suppress(TimeoutError):  # a server that is frozen says no goodbye
            async with asyncio.timeout(left(STORE_WITHIN)):
                await self._database.close()
