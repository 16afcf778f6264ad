from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from station_adapters.http.messages import broadcast, is_broadcast, snapshot
from station_adapters.http.provisioning_schemas import ForViewers, candidate_out, for_viewers, progress, sighted
from station_adapters.http.subscriber import News, Subscriber
from station_adapters.shapes.devices import device_out
from station_core.events import Event
from station_core.identity.events import AccessChanged
from station_core.provisioning.events import ProvisioningProgressed

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_core.events import Subscription
    from station_core.home import Home

NEWS_BOUND: Final = 65_536  # events; a commit tells up to some 12,000 at once
AT_ONCE: Final = 1_000  # events told before others get their turn of the loop
SOCKETS: Final = 100
STRANGERS: Final = 50  # sockets that haven't shown yet who they are: they can't take the place of those who have
CHECKED_EVERY: Final = 1.0  # seconds

GOING_AWAY: Final = 1001
TRY_AGAIN_LATER: Final = 1013
UNAUTHENTICATED: Final = 4401


class Listener(Protocol):
    """A live socket, as the hub sees it."""

    @property
    def subscriber(self) -> Subscriber | None:
        """Its queue, None before it has shown who it is."""
        ...

    @property
    def may_provision(self) -> bool:
        """Whether an owner or an admin is behind it."""
        ...

    def check(self) -> None:
        """Close it if who is behind it may listen no longer."""
        ...

    def close(self, code: int) -> None:
        """End it soon; never waits."""
        ...


class LiveHub:
    """
    The one stream that all live sockets get: one subscription, every message numbered and encoded once.

    A socket begins with a snapshot of what the stream has told so far, and follows on from its number. A slow socket
    is never waited for, see `Subscriber`. `dropped` counts the events that came too fast for it to tell.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lookout = home.lookout
        self._listeners: set[Listener] = set()
        self._news: Subscription[Event] | None = None
        self._behind: deque[Event] = deque()
        self._seq = 0
        self._dropped = 0
        self.dropped = 0

    async def run(self) -> None:
        """Tell all sockets what happens, until cancelled; they are closed then."""
        with self._home.bus.subscribe(Event, bound=NEWS_BOUND) as news:
            self._news, self._dropped = news, 0
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._check_by_time())
                    await self._follow(news)
            finally:
                self._news = None
                self._behind.clear()
                for listener in list(self._listeners):
                    listener.close(GOING_AWAY)

    def enter(self, listener: Listener) -> None:
        """A socket was opened; it's closed at once when there are too many, or nothing to listen to."""
        strangers = sum(1 for other in self._listeners if other.subscriber is None)
        self._listeners.add(listener)
        if not self.follows or strangers >= STRANGERS or self.full:
            listener.close(TRY_AGAIN_LATER)

    @property
    def follows(self) -> bool:
        """Whether it runs, and so has something to tell."""
        return self._news is not None

    @property
    def full(self) -> bool:
        """Whether no more sockets can subscribe."""
        return sum(1 for listener in self._listeners if listener.subscriber is not None) >= SOCKETS

    @property
    def sockets(self) -> tuple[int, int]:
        """How many are open: those that have shown who they are, and those that haven't yet."""
        known = sum(1 for listener in self._listeners if listener.subscriber is not None)
        return known, len(self._listeners) - known

    def leave(self, listener: Listener) -> None:
        """It was closed."""
        self._listeners.discard(listener)
        self._lookout.give_back(listener)

    def look(self, listener: Listener) -> None:
        """Who listens wants to see new devices, from those that are known on."""
        if self._lookout.views(listener):
            return
        self._lookout.take(listener)
        if listener.subscriber is not None:
            listener.subscriber.push(News([sighted(candidate) for candidate in self._lookout.candidates]))

    def look_away(self, listener: Listener) -> None:
        """Who listens has seen enough."""
        self._lookout.give_back(listener)

    def snapshot(self, listener: Listener) -> str:
        """Everything as of the newest message of the stream; what is told next follows on it."""
        if self._news is not None:
            self._behind.extend(self._news.take())
        self._tell(len(self._behind))
        devices = [device_out(device) for device in self._home.household.told()]
        candidates = self._lookout.candidates if self._lookout.views(listener) else ()
        return snapshot(devices, [candidate_out(candidate) for candidate in candidates], self._seq)

    async def _follow(self, news: Subscription[Event]) -> None:
        async for batch in news.batches():
            self._behind.extend(batch)
            while self._behind:
                self._tell(AT_ONCE)
                await asyncio.sleep(0)

    def _tell(self, most: int) -> None:
        self._restart_after_a_gap()
        following = [
            listener.subscriber
            for listener in self._listeners
            if listener.subscriber is not None and listener.subscriber.follows
        ]
        messages: list[bytes] = []
        for _ in range(min(most, len(self._behind))):
            event = self._behind.popleft()
            if isinstance(event, AccessChanged):
                self._check()
            elif isinstance(event, ForViewers):
                self._whisper(for_viewers(event), self._lookout.views)
            elif isinstance(event, ProvisioningProgressed):
                self._whisper(progress(event), lambda listener: listener.may_provision)
            elif is_broadcast(event):
                self._seq += 1
                if following:
                    messages.append(broadcast(event, self._seq))
        if messages:
            news = News(messages)
            for subscriber in following:
                subscriber.push(news)

    def _whisper(self, message: bytes, to: Callable[[Listener], bool]) -> None:
        news = News([message])
        for listener in self._listeners:
            if listener.subscriber is not None and to(listener):
                listener.subscriber.push(news)

    def _restart_after_a_gap(self) -> None:
        if self._news is not None and self._news.dropped != self._dropped:
            self.dropped += self._news.dropped - self._dropped
            self._dropped = self._news.dropped
            for listener in self._listeners:
                if listener.subscriber is not None:
                    listener.subscriber.restart()

    async def _check_by_time(self) -> None:
        while True:
            await self._home.clock.sleep(CHECKED_EVERY)
            self._check()

    def _check(self) -> None:
        for listener in list(self._listeners):
            listener.check()
