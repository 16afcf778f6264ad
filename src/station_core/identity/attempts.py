from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from station_core.errors import RateLimited, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    from station_core.clock import Clock

WINDOW: Final = 300.0  # seconds for which a failure counts (docs/protocols.md §4)
OF_AN_ACCOUNT: Final = 10
OF_A_PEER: Final = 30
REMEMBERED: Final = 10_000  # accounts and peers that have failed of late; the one that failed longest ago goes first
ACQUAINTANCES: Final = 1_000  # accounts with an address from which they have logged in
WAITING: Final = 128  # attempts that wait for others to end


@dataclass(slots=True)
class _Tally:
    limit: int
    failures: deque[float] = field(default_factory=deque)
    under_way: int = 0


class Attempts:
    """
    How often a password may be guessed: 10 failures for an account and 30 from an address in 5 minutes.

    An account is what the caller called it, whether or not there is one; an address of IPv6 its network of 64 bits.
    Attempts under way count as failures until they're known to be none, so many at once gain nothing: they wait. What
    is refused doesn't count, nor does what succeeds. Where an account has logged in from an address, the two have a
    tally of their own: nobody else can keep its owner out there.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tallies: OrderedDict[Hashable, _Tally] = OrderedDict()
        self._known: OrderedDict[Hashable, None] = OrderedDict()
        self._ended = asyncio.Event()
        self._waiting = 0

    @asynccontextmanager
    async def attempt(self, account: str, peer: str | None) -> AsyncIterator[None]:
        """
        One attempt, which has failed when it raises `Unauthenticated`; None for a peer that isn't counted.

        Raise `RateLimited` when there were too many, with the seconds until the next may be made.
        """
        name = hashlib.sha256(account.strip().casefold().encode(errors="surrogatepass")).digest()
        keys = self._keys(name, peer)
        while not self._has_room(keys):
            await self._wait()
        tallies = [self._tally(key, limit) for key, limit in keys.items()]
        for tally in tallies:
            tally.under_way += 1
        try:
            yield
        except Unauthenticated:
            for tally in tallies:
                tally.failures.append(self._clock.monotonic())
            raise
        else:
            self._meet(name, peer)
        finally:
            for tally in tallies:
                tally.under_way -= 1
            self._forget_idle(keys)
            self._ended.set()
            self._ended = asyncio.Event()

    def _keys(self, name: bytes, peer: str | None) -> dict[Hashable, int]:
        """By what an attempt is counted, and how many of each there may be."""
        if peer is None:
            return {name: OF_AN_ACCOUNT}
        if (name, peer) in self._known:
            return {(name, peer): OF_AN_ACCOUNT}
        return {name: OF_AN_ACCOUNT, network(peer): OF_A_PEER}

    def _has_room(self, keys: dict[Hashable, int]) -> bool:
        now = self._clock.monotonic()
        found = [tally for key in keys if (tally := self._tallies.get(key)) is not None]
        for tally in found:
            while tally.failures and tally.failures[0] <= now - WINDOW:
                tally.failures.popleft()
        full = [tally.failures[0] + WINDOW - now for tally in found if len(tally.failures) >= tally.limit]
        if full:
            raise RateLimited("Too many failed logins.", retry_after=max(full))
        return all(len(tally.failures) + tally.under_way < tally.limit for tally in found)

    async def _wait(self) -> None:
        if self._waiting >= WAITING:
            raise RateLimited("Too many logins at once.", retry_after=10)
        self._waiting += 1
        try:
            await self._ended.wait()
        finally:
            self._waiting -= 1

    def _tally(self, key: Hashable, limit: int) -> _Tally:
        tally = self._tallies.setdefault(key, _Tally(limit))
        self._tallies.move_to_end(key)
        if len(self._tallies) > REMEMBERED:
            self._tallies.popitem(last=False)
        return tally

    def _forget_idle(self, keys: dict[Hashable, int]) -> None:
        for key in keys:
            tally = self._tallies.get(key)
            if tally is not None and not (tally.failures or tally.under_way):
                del self._tallies[key]

    def _meet(self, name: bytes, peer: str | None) -> None:
        if peer is not None:
            self._known[name, peer] = None
            self._known.move_to_end((name, peer))
            if len(self._known) > ACQUAINTANCES:
                self._known.popitem(last=False)


def network(peer: str) -> str:
    """What counts as one address: of IPv6 the 64 bits that one household or host has."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return str(address)
