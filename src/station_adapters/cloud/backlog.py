from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from station_core.cloud.letters import FRONT

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from station_adapters.cloud.sender import Sender
    from station_core.clock import Clock
    from station_core.cloud.letters import Waiting
    from station_core.cloud.ports import Outbox

PAGE: Final = 500  # letters that are read, and taken out, at a time
SLICE: Final = 100  # letters on their way at a time: as many as a live one may have before it
SLICE_BYTES: Final = 32 * 1024
RATE: Final = 2_000.0  # letters a second at most


class Backlog:
    """
    What waited up to *head*, in the order of happening.

    The next slice goes when the cloud has the one before: so a slow line is never full of it, and what happens now has
    little before it.
    """

    def __init__(self, *, sender: Sender, outbox: Outbox, clock: Clock, head: int, counts: Counter[str]) -> None:
        self._sender = sender
        self._outbox = outbox
        self._clock = clock
        self._head = head
        self._counts = counts

    async def run(self) -> None:
        """Return when all of it has arrived."""
        place = FRONT
        while page := await self._outbox.waiting(after=place, limit=PAGE):
            await self._carry([one for one in page if one.seq <= self._head])
            place = page[-1].place
            if page[-1].seq > self._head:
                return

    async def _carry(self, page: Sequence[Waiting]) -> None:
        left = deque(page)
        while left:
            await self._sender.room()
            began, count, size = self._clock.monotonic(), 0, 0
            while left and count < SLICE and size < SLICE_BYTES:
                one = left.popleft()
                if self._sender.wants(one) and not self._sender.knows_state(one.device_id):
                    size += self._sender.put(one)
                    count += 1
            await self._sender.arrived()
            self._counts["from_backlog"] += count
            await self._clock.sleep(max(0.0, count / RATE - (self._clock.monotonic() - began)))
        await self._outbox.delivered(page)
