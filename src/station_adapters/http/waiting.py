from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from station_core.errors import StoreUnavailable
from station_core.journal import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Give the store so long for a caller who waits; giving up withdraws what they wanted (decision 2)."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError:
        raise StoreUnavailable from None
