from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from station_adapters.cloud.backlog import Backlog
from station_adapters.cloud.news import NewsDesk
from station_adapters.cloud.sender import Sender
from station_core.cloud.letters import HEARD
from station_core.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_adapters.cloud.line import Line
    from station_core.clock import Clock
    from station_core.cloud.ports import Outbox
    from station_core.events import EventBus

log = logging.getLogger("station.cloud")

NEWS_BOUND: Final = 65_536  # events; a commit tells up to some 12,000 at once
STORE_BACK_OFF: Final = 5.0  # seconds


class Courier:
    """
    Carries up what the cloud is to hear, each letter until it has certainly arrived: what happens now at once, what
    waited in its order beside it and slower.

    Overflow policy: of states that come faster than they go up only the newest of each device is sent; what else comes
    too fast waits in the outbox. `counts`: letters sent "live" and "from_backlog", states "superseded", and how often
    it "fell_behind".
    """

    def __init__(self, *, outbox: Outbox, bus: EventBus, clock: Clock) -> None:
        self._outbox = outbox
        self._bus = bus
        self._clock = clock
        self.counts: Counter[str] = Counter()

    async def carry(self, line: Line) -> None:
        """Do so until cancelled, however often the store is away; an `Uplink`."""
        while True:
            away = False
            try:
                await self._shift(line)
            except* (StoreUnavailable, StoreFull) as trouble:
                away = True
                log.warning("what goes up to the cloud waits", extra={"reason": str(trouble.exceptions[0])})
            if away:
                await self._clock.sleep(STORE_BACK_OFF)

    async def _shift(self, line: Line) -> None:
        """Return when what happens came faster than it went up: it's in the outbox, and goes up from there."""
        with self._bus.subscribe(*HEARD, bound=NEWS_BOUND) as news:
            # What happened up to here is found in the outbox, what happens from here on is told.
            head = await self._outbox.head()
            sender = Sender(line=line, outbox=self._outbox, clock=self._clock)
            backlog = Backlog(sender=sender, outbox=self._outbox, clock=self._clock, head=head, counts=self.counts)
            desk = NewsDesk(
                sender=sender, outbox=self._outbox, news=news, clock=self._clock, head=head, counts=self.counts
            )
            async with asyncio.TaskGroup() as group:
                others = [group.create_task(worker()) for worker in (backlog.run, sender.run, desk.look)]
                await desk.run()
                for task in others:
                    task.cancel()
            self.counts["fell_behind"] += 1
            await sender.settle()
