from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from station_core.errors import StoreUnavailable
from station_core.journal import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

A_PASSWORD: Final = 30.0
"""Seconds for what needs a password checked: two are at once, and many people may come home together."""


@asynccontextmanager
async def in_time(within: float | None = None) -> AsyncIterator[None]:
    """Give the store so long for a caller who waits; giving up withdraws what they wanted (decision 2)."""
    try:
        async with asyncio.timeout(PATIENCE if within is None else within):
            yield
    except TimeoutError:
        raise StoreUnavailable from None
