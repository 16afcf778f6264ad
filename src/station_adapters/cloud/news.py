from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from station_core.cloud.letters import Waiting, state_id, state_letter, tells
from station_core.devices.events import DeviceStateChanged
from station_core.errors import StoreFull, StoreUnavailable
from station_core.identity.events import Invited

if TYPE_CHECKING:
    from collections import Counter

    from station_adapters.cloud.sender import Sender
    from station_core.clock import Clock
    from station_core.cloud.ports import Outbox
    from station_core.events import Event, Subscription

BEHIND: Final = 5_000  # events that may wait here
AT_ONCE: Final = 50  # events that are sent before others get their turn of the loop
PAGE: Final = 200  # letters
LOOK_EVERY: Final = 30.0  # seconds


class NewsDesk:
    """
    What happens, at once and in order: states as they are told, all else as the outbox has it, for there it got its id.

    What isn't found there any more (its channel was switched off) doesn't go up.
    """

    def __init__(
        self,
        *,
        sender: Sender,
        outbox: Outbox,
        news: Subscription[Event],
        clock: Clock,
        head: int,
        counts: Counter[str],
    ) -> None:
        self._sender = sender
        self._outbox = outbox
        self._clock = clock
        self._news = news
        self._counts = counts
        self._place = (head, "")
        self._behind: deque[Event] = deque()
        self._letters: deque[Waiting] = deque()
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Send what happens; return when it happens faster than that."""
        async for batch in self._news.batches():
            self._behind.extend(batch)
            while self._behind:
                if not self._keeps_up():
                    return
                await self._sender.room()
                for _ in range(min(AT_ONCE, len(self._behind))):
                    await self._tell(self._behind.popleft())
                await asyncio.sleep(0)
                self._behind.extend(self._news.take())

    async def look(self) -> None:
        """Send also what nobody tells of, until cancelled: the last that a removed device did."""
        while True:
            await self._clock.sleep(LOOK_EVERY)
            await self._sender.room()
            with suppress(StoreUnavailable, StoreFull):
                await self._tell_up_to(None)

    def _keeps_up(self) -> bool:
        if len(self._behind) > BEHIND:
            self._supersede()
        return len(self._behind) <= BEHIND and not self._news.dropped

    def _supersede(self) -> None:
        """Of states leave the newest of each device."""
        before = len(self._behind)
        seen: set[str] = set()
        newest: deque[Event] = deque()
        for event in reversed(self._behind):
            if isinstance(event, DeviceStateChanged):
                if event.device_id in seen:
                    continue
                seen.add(event.device_id)
            newest.appendleft(event)
        self._behind = newest
        self._counts["superseded"] += before - len(newest)

    async def _tell(self, event: Event) -> None:
        if isinstance(event, Invited):
            await self._tell_up_to(None)
            return
        if tells(event) not in self._outbox.active:
            return
        if not isinstance(event, DeviceStateChanged):
            await self._tell_up_to(event)
            return
        device_id, state, at = event.device_id, event.state, event.timestamp
        told = state_letter(device_id, state, at)
        one = Waiting(seq=0, event_id=state_id(device_id, state, at), letter=told, device_id=device_id)
        if not self._sender.knows(one):
            self._send(one)

    async def _tell_up_to(self, event: Event | None) -> None:
        """Send what the outbox has up to the event's letter; all of it, when that isn't there."""
        async with self._one_at_a_time:
            while True:
                while self._letters:
                    one = self._letters.popleft()
                    if self._sender.wants(one):
                        self._send(one)
                    if event is not None and _is_of(one, event):
                        return
                self._letters.extend(await self._outbox.waiting(after=self._place, limit=PAGE, states=False))
                if not self._letters:
                    return
                self._place = self._letters[-1].place

    def _send(self, one: Waiting) -> None:
        self._sender.send(one)
        self._counts["live"] += 1


def _is_of(one: Waiting, event: Event) -> bool:
    letter = one.letter
    same = letter.channel is tells(event) and letter.written_at == event.timestamp
    return same and letter.params.get("deviceId") == getattr(event, "device_id", None)
