from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from station_app.container import prepared
from station_core.errors import StationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_adapters.sql.child import TablesChild
    from station_app.container import Container
    from station_app.settings import Settings


async def run_station(
    settings: Settings,
    beside: Callable[[Container, asyncio.Event, asyncio.Event], Awaitable[None]],
    child: TablesChild | None = None,
) -> None:
    """
    Run a station until SIGTERM or SIGINT, and *beside* (its parts, served, to be stopped) as long as it runs.

    *child* makes the tables, if there are any to make. Raise what the station raises, by itself.
    """
    stop, serving = asyncio.Event(), asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, stop.set)
    with prepared(settings, child) as container:

        async def accompany() -> None:
            await beside(container, serving, stop)

        try:
            async with asyncio.TaskGroup() as group:
                accompanying = group.create_task(accompany())
                await container.station().run(stop, serving)
                accompanying.cancel()
        except ExceptionGroup as failed:
            raise alone(failed) from None


def alone(failed: ExceptionGroup[Exception]) -> Exception:
    """
    The first `StationError` of a group by itself, for which the command line has a sentence and a code; else the group.

    To be raised by a plain `except`: what is raised in `except*` before Python 3.11.4 is wrapped in a group again.
    """
    found: Exception | None = failed.subgroup(StationError)
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return failed if found is None else found
