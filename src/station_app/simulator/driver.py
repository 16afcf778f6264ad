from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from station_app.simulator.faults import Fault
from station_app.simulator.firmware import SUBSCRIPTIONS, Firmware, Phase
from station_app.simulator.link import Traffic, open_link
from station_app.simulator.speech import Connect, Disconnect, FactoryReset, Publish
from station_core.errors import LinkDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from station_app.simulator.faults import FaultScript
    from station_app.simulator.link import Home, Link
    from station_app.simulator.make import Make
    from station_app.simulator.speech import Output
    from station_core.values import Value

log = logging.getLogger("station.simulator")


class VirtualDevice:
    """
    An ESP32 that lives against a real broker: its firmware, and the connection that the firmware wants.

    With a *token* it authenticates as firmware does: user name = client id = external id. `trouble` is why it isn't
    connected, `forgot` why it has reset itself to the factory's state. What *faults* it's told to do it does when it's
    at work, and counts in `done`.
    """

    def __init__(self, make: Make, home: Home, token: str | None = None, faults: FaultScript | None = None) -> None:
        self.firmware = Firmware(make)
        self.traffic = Traffic()
        self.trouble: LinkDown | None = None
        self.forgot: str | None = None
        self.done: Counter[Fault] = Counter()
        self._faults = faults
        self._will: Publish | None = None
        self._late: Publish | None = None
        self._home = home
        self._token = token
        self._link: Link | None = None
        self._news = asyncio.Event()
        self._stirred = asyncio.Event()

    @property
    def external_id(self) -> str:
        """The id that it was provisioned with."""
        return self.firmware.make.external_id

    @property
    def phase(self) -> Phase:
        """Where it is in its life."""
        return self.firmware.phase

    async def run(self) -> None:
        """Live until cancelled, and say good-bye then, or until it has forgotten its owner. Another run is a boot."""
        loop = asyncio.get_running_loop()
        try:
            if self._faults is not None:
                self._faults.begin(loop.time())
            await self._obey(self.firmware.boot(loop.time()))
            while self.firmware.phase is not Phase.UNPROVISIONED:
                await self._rest()
                await self._catch_up(loop)
        finally:
            await self._obey(self.firmware.shut_down())

    def touch(self, changes: Mapping[str, Value]) -> None:
        """Somebody uses the wall switch, opens the window, walks by."""
        for output in self.firmware.touch(changes):
            if self._link is not None and isinstance(output, Publish):
                self._link.publish(output)

    def unplug(self) -> None:
        """The connection breaks without a word, so the broker publishes the last will; the device tries again."""
        if self._link is not None:
            self._link.abort()

    async def until(self, holds: Callable[[VirtualDevice], bool]) -> None:
        """Return once this is true of the device; it's asked again whenever something has happened to it."""
        while not holds(self):
            await self._stirred.wait()

    async def _rest(self) -> None:
        """Return when there's news or it's time for something."""
        due = min(self.firmware.wakes_at, math.inf if self._link is None else self._link.wakes_at)
        if self._faults is not None and self._works:
            due = min(due, self._faults.due_at)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if due == math.inf else due):
                await self._news.wait()
        self._news.clear()

    async def _catch_up(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._link is not None and self._link.inbox:
            suffix, payload = self._link.inbox.popleft()
            await self._obey(self.firmware.message(suffix, payload, loop.time()))
        if self._link is not None and self._link.lost is not None:
            self.trouble, self._link = self._link.lost, None
            await self._obey(self.firmware.disconnected(loop.time()))
        if self._link is not None:
            self._link.tick(loop.time())
        await self._obey(self.firmware.tick(loop.time()))
        if self._faults is not None and self._works:
            self._err(self._faults, loop.time())

    @property
    def _works(self) -> bool:
        return self._link is not None and self.firmware.phase is Phase.OPERATIONAL

    def _err(self, faults: FaultScript, now: float) -> None:
        assert self._link is not None
        if self._late is not None:
            self._link.publish(self._late)
            self._late = None
            self.done[Fault.LATE_WILL] += 1
        match faults.due(now):
            case Fault.DROP:
                self.done[Fault.DROP] += 1
                self.unplug()
            case Fault.DUPLICATE if self._link.repeat():
                self.done[Fault.DUPLICATE] += 1
            case Fault.RUBBISH:
                self.done[Fault.RUBBISH] += 1
                make = self.firmware.make
                self._link.publish(faults.rubbish(self._home.station_id, make.external_id, make.qos))
            case Fault.LATE_WILL:
                self._late = self._will
                self.firmware.lose_power(now)
                self.unplug()
            case _:
                pass

    async def _obey(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Publish() if self._link is not None:
                    self._link.publish(output)
                case Connect(will):
                    await self._connect(will)
                case Disconnect() if self._link is not None:
                    link, self._link = self._link, None
                    await link.close()
                case FactoryReset(reason):
                    self.forgot = reason
                    log.warning("virtual device forgot its owner", extra={"device": self.external_id, "why": reason})
                case _:
                    pass
        self._stirred.set()
        self._stirred.clear()

    async def _connect(self, will: Publish) -> None:
        self._will = will
        try:
            self._link = await open_link(
                self._home,
                self.external_id,
                self._token,
                will=will,
                subscriptions=SUBSCRIPTIONS,
                traffic=self.traffic,
                news=self._news,
            )
        except LinkDown as trouble:
            self.trouble = trouble
            log.info("virtual device can't connect", extra={"device": self.external_id, "why": str(trouble)})
            outputs = self.firmware.disconnected(asyncio.get_running_loop().time())
        else:
            self.trouble = None
            outputs = self.firmware.connected(asyncio.get_running_loop().time())
        await self._obey(outputs)
