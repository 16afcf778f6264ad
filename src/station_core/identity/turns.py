from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from station_core.errors import Conflict, NotFound, RegistrationClosed, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

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

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        if self._in_doubt.is_set():
            try:
                await self._load()
            except BaseException:
                self._lock.release()
                raise
            self._in_doubt.clear()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DOUBTS):
            self._in_doubt.set()
        self._lock.release()
