from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

import uvloop

from station_adapters.system.notify import notify
from station_app.cli.alone import alone
from station_app.container import prepared
from station_app.logs import set_up
from station_app.settings import load_settings

if TYPE_CHECKING:
    from station_app.settings import Settings

log = logging.getLogger("station")


def serve() -> None:
    """See `station serve --help`."""
    settings = load_settings(os.environ)
    set_up(level=settings.log_level, form=settings.log_format)
    for warning in settings.warnings:
        log.warning("%s", warning)
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop, serving = asyncio.Event(), asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, stop.set)
    with prepared(settings) as container:
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(_tell_systemd(serving))
                await container.station().run(stop, serving)
                telling.cancel()
        except ExceptionGroup as failed:
            raise alone(failed) from None
    notify("STOPPING=1")


async def _tell_systemd(serving: asyncio.Event) -> None:
    await serving.wait()
    notify("READY=1")
