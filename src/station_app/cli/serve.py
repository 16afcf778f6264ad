from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import uvloop

from station_adapters.system.notify import notify
from station_app.cli.running import run_station
from station_app.logs import set_up
from station_app.settings import load_settings

if TYPE_CHECKING:
    import asyncio

    from station_app.container import Container

log = logging.getLogger("station")


def serve() -> None:
    """See `station serve --help`."""
    settings = load_settings(os.environ)
    set_up(level=settings.log_level, form=settings.log_format)
    for warning in settings.warnings:
        log.warning("%s", warning)
    uvloop.run(run_station(settings, _tell_systemd))


async def _tell_systemd(_: Container, serving: asyncio.Event, stop: asyncio.Event) -> None:
    await serving.wait()
    notify("READY=1")
    await stop.wait()
    notify("STOPPING=1")
