from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType


class Turns:
    """
    Changes one at a time, each on memory as the store has it.

    A store that went away in the middle of a change may have kept it all the same: before the next one memory is loaded
    anew by *load*, which may raise `StoreUnavailable` or `StoreFull`.
    """

    def __init__(self, load: Callable[[], Awaitable[None]]) -> None:
        self._load = load
        self._lock = asyncio.Lock()
        self._in_doubt = False

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        if self._in_doubt:
            try:
                await self._load()
            except BaseException:
                self._lock.release()
                raise
            self._in_doubt = False

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_doubt = isinstance(error, StoreUnavailable)
        self._lock.release()
