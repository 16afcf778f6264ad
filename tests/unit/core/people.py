"""What the tests of access say in one word."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from station_adapters.memory.clock import settled
from station_adapters.memory.identity import MemoryIdentityStore
from station_core.errors import StoreUnavailable, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_adapters.memory.audit import Ledger
    from station_core.audit.model import Deed
    from station_core.home import Home
    from station_core.identity.model import Login

EMAIL, PASSWORD, OTHER = "Anna@Home.example", "correct horse", "battery staple"


T = TypeVar("T")


class DistantIdentities(MemoryIdentityStore):
    """
    Its next answers take so many turns: much may come between what it did and what the station makes of it.

    *unheard* of them don't come at all.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.turns: deque[int] = deque()
        self.unheard = 0

    async def _atomic(self, effect: Callable[[], T], deed: Deed | None = None) -> T:
        result = await super()._atomic(effect, deed)
        await settled(self.turns.popleft() if self.turns else 0)
        if self.unheard:
            self.unheard -= 1
            raise StoreUnavailable
        return result


async def login(home: Home, password: str = PASSWORD) -> Login:
    return await home.access.login(email=EMAIL, password=password)


def refused(home: Home, token: str) -> bool:
    """Whether nobody is let in by this access token."""
    try:
        home.access.verify(token)
    except Unauthenticated:
        return True
    return False
