from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from station_core.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_adapters.cloud.line import Line
    from station_core.clock import Clock
    from station_core.cloud.letters import Waiting
    from station_core.cloud.ports import Outbox

RECEIPTS_EVERY: Final = 1.0  # seconds
STATES_EVERY: Final = 30.0  # seconds: a state is soon followed by the next, whose receipt is as good
IN_FLIGHT: Final = 2_000  # letters whose receipt is awaited


class Sender:
    """Puts letters on the line, and takes out of the outbox what has certainly arrived."""

    def __init__(self, *, line: Line, outbox: Outbox, clock: Clock) -> None:
        self._line = line
        self._outbox = outbox
        self._clock = clock
        self._newest: dict[str, str] = {}  # by device: the id of the state that was sent last
        self._sent: list[Waiting] = []
        self._sent_states: dict[str, Waiting] = {}
        self._arrived: list[Waiting] = []
        self._arrived_states: dict[str, Waiting] = {}
        self._states_due = clock.monotonic() + STATES_EVERY
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def wants(self, one: Waiting) -> bool:
        """Whether the cloud wants to hear it at this moment."""
        channel = one.letter.channel
        return channel is None or channel in self._outbox.active

    def knows_state(self, device_id: str | None) -> bool:
        """Whether a state of this device was sent already: none from the backlog may follow."""
        return device_id in self._newest

    def knows(self, one: Waiting) -> bool:
        """Whether it's the state that was sent last of its device."""
        return one.device_id is not None and self._newest.get(one.device_id) == one.event_id

    def put(self, one: Waiting) -> int:
        """Send it, for the caller to ask whether it has arrived; return its size in bytes."""
        params = {**one.letter.params, "eventId": one.event_id}
        if one.letter.late(self._clock.now()):
            params["late"] = True
        if one.device_id is not None:
            self._newest[one.device_id] = one.event_id
        encoded = msgspec.json.encode(params)
        self._line.notify(one.letter.method, msgspec.Raw(encoded))
        return len(encoded)

    def send(self, one: Waiting) -> None:
        """Send it; it's taken out of the outbox once it has arrived."""
        self.put(one)
        if one.device_id is None:
            self._sent.append(one)
            if len(self._sent) >= IN_FLIGHT:
                self._room.clear()
        else:
            self._sent_states[one.device_id] = one
        self._wake.set()

    async def room(self) -> None:
        """Return when neither too much waits to be sent nor too many receipts are awaited."""
        await self._line.room()
        await self._room.wait()

    async def arrived(self) -> None:
        """Return when all that was sent before has arrived."""
        await self._line.delivered()

    async def run(self) -> None:
        """Ask for receipts until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._clock.sleep(RECEIPTS_EVERY)
            await self.settle()
            if self._arrived or self._arrived_states:
                self._wake.set()

    async def settle(self) -> None:
        """Take out of the outbox what was sent, once it has arrived; while the store is away it's left for later."""
        if self._sent or self._sent_states:
            sent, self._sent = self._sent, []
            states, self._sent_states = self._sent_states, {}
            await self._line.delivered()
            self._arrived += sent
            self._arrived_states.update(states)
        due = self._clock.monotonic() >= self._states_due
        try:
            await self._outbox.delivered([*self._arrived, *(self._arrived_states.values() if due else ())])
        except (StoreUnavailable, StoreFull):
            return
        self._arrived.clear()
        if due:
            self._arrived_states.clear()
            self._states_due = self._clock.monotonic() + STATES_EVERY
        if len(self._sent) < IN_FLIGHT:
            self._room.set()
