from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeVar

from station_core.cloud.channels import EVERY_CHANNEL, EventChannel
from station_core.cloud.letters import Rank, Waiting, letter, state_id, state_letter
from station_core.cloud.outbox import Held, falling, first_to_fall
from station_core.devices.events import DeviceStateChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from station_core.cloud.letters import Letter
    from station_core.cloud.outbox import Bounds
    from station_core.errors import StationError
    from station_core.events import Event

T = TypeVar("T")


class MemoryOutbox:
    """
    An `Outbox` without a database, filled by a `MemoryDeviceStore` and opened by a `MemoryCloudStore`.

    `trouble` is what every call raises while it is set.
    """

    def __init__(self) -> None:
        self._on_record: frozenset[EventChannel] | None = None  # None: nobody has claimed the station
        self._letters: dict[int, Waiting] = {}
        self._sizes: dict[int, int] = {}
        self._states: dict[str, Waiting] = {}
        self._last = 0
        self._active: frozenset[EventChannel] = frozenset()
        self.at_first: Callable[[datetime], Iterable[tuple[Letter, str]]] = lambda _: ()
        self.trouble: StationError | None = None

    @property
    def active(self) -> frozenset[EventChannel]:
        """See `Outbox`."""
        return self._active

    async def load(self) -> None:
        """See `Outbox`."""

        def load() -> None:
            if self._on_record is None:
                self.end()
            else:
                self._active = self._on_record

        await self._atomic(load)

    async def activate(self, channels: frozenset[EventChannel]) -> None:
        """See `Outbox`."""
        before = self._active

        def activate() -> None:
            if self._on_record is not None:
                self._on_record = channels
                self._keep_only(before & channels)

        if self._on_record is not None:
            self._active = channels
        try:
            await self._atomic(activate)
        except BaseException:
            if self._active is channels:
                self._active = before
            raise

    async def head(self) -> int:
        """See `Outbox`."""
        return await self._atomic(lambda: self._last)

    async def waiting(self, *, after: tuple[int, str], limit: int, states: bool = True) -> Sequence[Waiting]:
        """See `Outbox`."""

        def waiting() -> Sequence[Waiting]:
            those = self._all() if states else self._letters.values()
            found = [one for one in those if one.place > after and self._goes_up(one)]
            return sorted(found, key=lambda one: one.place)[:limit]

        return await self._atomic(waiting)

    async def delivered(self, letters: Sequence[Waiting]) -> None:
        """See `Outbox`."""

        def delivered() -> None:
            for one in letters:
                if one.device_id is None:
                    self._drop([one.seq])
                elif self._is_newest(one):
                    del self._states[one.device_id]

        await self._atomic(delivered)

    async def cut(self, bounds: Bounds, *, limit: int) -> Mapping[Rank, int]:
        """See `Outbox`."""

        def cut() -> Mapping[Rank, int]:
            fallen = first_to_fall(self._held(), bounds)
            if fallen is None:
                return {}
            rank, least = fallen
            sizes = [(seq, self._sizes[seq]) for seq, one in self._letters.items() if one.letter.rank is rank]
            seqs = falling(sizes[:limit], least)
            self._drop(seqs)
            return {rank: len(seqs)}

        return await self._atomic(cut)

    async def oldest(self) -> datetime | None:
        """See `Outbox`."""

        def oldest() -> datetime | None:
            first = next((one for one in self._letters.values() if self._goes_up(one)), None)
            states = [one.letter.written_at for one in self._states.values() if self._goes_up(one)]
            return min(states if first is None else [first.letter.written_at, *states], default=None)

        return await self._atomic(oldest)

    def begin(self, at: datetime) -> None:
        """A cloud has claimed the station, and hears `at_first` what it has to from the start."""
        self.end()
        self._on_record = self._active = EVERY_CHANNEL
        for told, event_id in self.at_first(at):
            self.post(told, event_id)

    def end(self) -> None:
        """Nobody has claimed it any more."""
        self._on_record, self._active = None, frozenset()
        self._drop(list(self._letters))
        self._states.clear()

    def take(self, event: Event, event_id: str) -> None:
        """Keep what the cloud is to hear of an event that is kept."""
        if isinstance(event, DeviceStateChanged):
            if EventChannel.STATE in self._active:
                self._states[event.device_id] = Waiting(
                    seq=self._last,
                    event_id=state_id(event.device_id, event.state, event.timestamp),
                    letter=state_letter(event.device_id, event.state, event.timestamp),
                    device_id=event.device_id,
                )
        elif (told := letter(event)) is not None and told.channel in self._active:
            self.post(told, event_id)

    def post(self, told: Letter, event_id: str) -> None:
        """Keep a letter."""
        self._last += 1
        self._letters[self._last] = Waiting(seq=self._last, event_id=event_id, letter=told)
        self._sizes[self._last] = _size(told)

    def post_if_claimed(self, told: Letter, event_id: str) -> None:
        """Keep a letter, whatever channels are active, if a cloud has claimed the station."""
        if self._on_record is not None:
            self.post(told, event_id)

    def withdraw(self, event_id: str) -> None:
        """What hasn't gone up yet needn't any more."""
        self._letters = {seq: one for seq, one in self._letters.items() if one.event_id != event_id}

    def forget_state(self, device_id: str) -> None:
        """The device is gone."""
        self._states.pop(device_id, None)

    def _all(self) -> Iterable[Waiting]:
        return [*self._letters.values(), *self._states.values()]

    def _goes_up(self, one: Waiting) -> bool:
        return one.letter.channel is None or one.letter.channel in self._active

    def _is_newest(self, one: Waiting) -> bool:
        newest = self._states.get(one.device_id or "")
        return newest is not None and newest.letter.written_at == one.letter.written_at

    def _keep_only(self, channels: frozenset[EventChannel]) -> None:
        stays = {None, *channels}
        self._drop([seq for seq, one in self._letters.items() if one.letter.channel not in stays])
        if EventChannel.STATE not in channels:
            self._states.clear()

    def _drop(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            self._letters.pop(seq, None)
            self._sizes.pop(seq, None)

    def _held(self) -> Mapping[Rank, Held]:
        sizes: dict[Rank, list[int]] = {}
        for seq, one in self._letters.items():
            sizes.setdefault(one.letter.rank, []).append(self._sizes[seq])
        return {rank: Held(letters=len(some), bytes=sum(some)) for rank, some in sizes.items()}

    async def _atomic(self, effect: Callable[[], T]) -> T:
        await asyncio.sleep(0)  # a store is never reached without waiting
        if self.trouble is not None:
            raise self.trouble
        return effect()


def _size(told: Letter) -> int:
    return len(json.dumps(told.params, ensure_ascii=False, separators=(",", ":")).encode())
