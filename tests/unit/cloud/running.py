"""Workers, for the length of a test's block."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from station_adapters.memory.clock import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine


@asynccontextmanager
async def running(*workers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """They run meanwhile, and are cancelled at the end."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker) for worker in workers]
        await settled()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
