from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from station_core.errors import Conflict, NotFound, RegistrationClosed, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

DOUBTS: Final = (StoreUnavailable, Conflict, NotFound, RegistrationClosed)


class Turns:
    """
    Changes one at a time, each on memory as the store has it.

    A store that goes away in the middle of a change may have kept it all the same. So behind such a change, and behind
    one that the store contradicts (`DOUBTS`), memory is in doubt: before the next turn it's loaded anew by *load*,
    which may raise `StoreUnavailable` or `StoreFull`.
    """

    def __init__(self, load: Callable[[], Awaitable[None]]) -> None:
        self._load = load
        self._lock = asyncio.Lock()
        self._in_doubt = asyncio.Event()

    async def doubted(self) -> None:
        """Return when memory is in doubt."""
        await self._in_doubt.wait()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Nobody else's meanwhile; raise what *load* raises."""
        async with self._lock:
            if self._in_doubt.is_set():
                await self._load()
                self._in_doubt.clear()
            try:
                yield
            except DOUBTS:
                self._in_doubt.set()
                raise
