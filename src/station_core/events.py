"""
What has happened, told after it was kept (decision 3: only what may be lost subscribes here).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact in the past tense; *timestamp* is aware, UTC, and only a label."""

    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatusChanged(Event):
    """A part that the station depends on went or came back; *link* is mqtt, cloud, ble or store."""

    link: str
    up: bool


E = TypeVar("E", bound=Event)


class Subscription(Generic[E]):
    """
    The events of some types, in order, in a bounded queue.

    Overflow policy: the oldest waiting events are dropped and counted in `dropped`; the publisher never waits.
    """

    def __init__(self, bus: EventBus, kinds: tuple[type[E], ...], bound: int) -> None:
        self._bus = bus
        self._kinds = kinds
        self._bound = bound
        self._waiting: deque[E] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self.dropped = 0

    def offer(self, events: Sequence[Event], kinds: AbstractSet[type[Event]]) -> None:
        """Take in what was published, events of these *kinds*; never waits."""
        wanted = {kind for kind in kinds if issubclass(kind, self._kinds)}
        if not wanted:
            return
        if len(wanted) < len(kinds):
            events = [event for event in events if type(event) in wanted]
        self._waiting.extend(cast("Sequence[E]", events))
        while len(self._waiting) > self._bound:
            self._waiting.popleft()
            self.dropped += 1
        self._wake.set()

    def close(self) -> None:
        """Leave the bus; the iteration ends after what waits was taken."""
        self._closed = True
        self._bus.leave(self)
        self._wake.set()

    def take(self) -> list[E]:
        """All that waits, now; may be empty."""
        batch = list(self._waiting)
        self._waiting.clear()
        return batch

    async def batches(self) -> AsyncIterator[list[E]]:
        """All that waits, as one list at a time: never an empty one."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if batch := self.take():
                yield batch
            if self._closed and not self._waiting:
                return

    async def __aiter__(self) -> AsyncIterator[E]:
        async for batch in self.batches():
            for event in batch:
                yield event

    def __enter__(self) -> Subscription[E]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EventBus:
    """Hands events to whoever subscribed, in the order in which they were published."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription[Event]] = []

    def subscribe(self, *kinds: type[E], bound: int) -> Subscription[E]:
        """A subscription to the events of *kinds* from now on, with at most *bound* waiting."""
        subscription = Subscription(self, kinds, bound)
        self._subscriptions.append(subscription)  # type: ignore[arg-type]  # it filters by kind itself
        return subscription

    def leave(self, subscription: Subscription[E]) -> None:
        """End a subscription; again is no error."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)  # type: ignore[arg-type]  # see subscribe

    def publish(self, events: Sequence[Event]) -> None:
        """Tell all subscribers; never waits, never raises for a slow one."""
        if events:
            kinds = {type(event) for event in events}  # few, of perhaps thousands of events
            for subscription in self._subscriptions:
                subscription.offer(events, kinds)
