from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from station_core.provisioning.errors import NotInRange
from station_core.provisioning.events import CandidateLost, CandidateSeen
from station_core.provisioning.model import Candidate, default_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from station_core.clock import Clock
    from station_core.events import Event
    from station_core.provisioning.model import Sighting

FORGOTTEN_AFTER: Final = 30.0  # seconds without an advertisement
TOLD_EVERY: Final = 2.0  # seconds between two messages about a candidate of which only the signal changed
BOUND: Final = 500  # candidates; whoever makes up addresses on the radio gets no more of our memory


class Candidates:
    """
    The devices in radio range that can be provisioned, or already are; *holds* knows the station's own external ids.

    One candidate per address and per external id: of two addresses that bear one id the one heard last counts.
    """

    def __init__(self, clock: Clock, holds: Callable[[str], bool]) -> None:
        self._clock = clock
        self._holds = holds
        self._by_address: dict[str, Candidate] = {}
        self._addresses: dict[str, str] = {}  # by external id
        self._heard: dict[str, float] = {}  # by address, monotonic
        self._told: dict[str, float] = {}  # by address, monotonic
        self.overlooked = 0

    def __iter__(self) -> Iterator[Candidate]:
        return iter(sorted(self._by_address.values(), key=lambda candidate: candidate.external_id))

    def __len__(self) -> int:
        return len(self._by_address)

    def find(self, external_id: str) -> Candidate:
        """The candidate that bears this external id, or raise `NotInRange`."""
        try:
            return self._by_address[self._addresses[external_id]]
        except KeyError:
            raise NotInRange from None

    def seen(self, sighting: Sighting) -> Sequence[Event]:
        """Take an advertisement in; what has happened by it, often nothing."""
        before = self._by_address.get(sighting.address)
        if before is None and len(self._by_address) >= BOUND:
            self.overlooked += 1
            return ()
        now, at = self._clock.monotonic(), self._clock.now()
        after = self._after(before, sighting)
        events: list[Event] = []
        if before is not None and before.external_id != after.external_id:
            del self._addresses[before.external_id]
            events.append(CandidateLost(external_id=before.external_id, timestamp=at))
        former = self._addresses.get(after.external_id)
        if former is not None and former != after.address:
            self._drop(former)
        self._by_address[after.address] = after
        self._addresses[after.external_id] = after.address
        self._heard[after.address] = now
        if before is None or _news(before, after) or now - self._told[after.address] >= TOLD_EVERY:
            self._told[after.address] = now
            events.append(CandidateSeen(candidate=after, timestamp=at))
        return events

    def expire(self) -> Sequence[Event]:
        """Forget who was silent for too long."""
        now, at = self._clock.monotonic(), self._clock.now()
        silent = [address for address, heard in self._heard.items() if now - heard > FORGOTTEN_AFTER]
        return [CandidateLost(external_id=self._drop(address).external_id, timestamp=at) for address in silent]

    def clear(self) -> None:
        """Forget all."""
        self._by_address.clear()
        self._addresses.clear()
        self._heard.clear()
        self._told.clear()

    def _after(self, before: Candidate | None, sighting: Sighting) -> Candidate:
        at = self._clock.now()
        if before is None:
            return Candidate(
                address=sighting.address,
                external_id=sighting.external_id,
                device_type=sighting.device_type,
                known_by=sighting.known_by,
                default_name=sighting.name or default_name(sighting),
                rssi=sighting.rssi,
                last_seen=at,
                provisioned=self._holds(sighting.external_id),
            )
        after = before.seen(sighting, at=at)
        return replace(after, provisioned=self._holds(after.external_id))

    def _drop(self, address: str) -> Candidate:
        candidate = self._by_address.pop(address)
        self._addresses.pop(candidate.external_id, None)
        del self._heard[address], self._told[address]
        return candidate


def _news(before: Candidate, after: Candidate) -> bool:
    """Whether more than its signal changed."""
    return replace(before, rssi=after.rssi, last_seen=after.last_seen) != after
