from __future__ import annotations

import asyncio
import gc
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import uvloop

from station_adapters.sql.child import TablesChild
from station_adapters.system.notify import notify
from station_app.lean import give_back_what_is_free, give_back_what_is_large, share_one_heap
from station_app.logs import set_up
from station_app.settings import is_new, load_settings

if TYPE_CHECKING:
    from station_app.container import Container

log = logging.getLogger("station")

# Objects until the collector looks for cycles among them; its own 700 are one busy turn of the loop.
YOUNG: Final = 20_000
GIVEN_BACK_EVERY: Final = 30.0  # seconds


def serve() -> None:
    """See `station serve --help`."""
    give_back_what_is_large()
    share_one_heap()
    settings = load_settings(os.environ)
    set_up(level=settings.log_level, form=settings.log_format)
    for warning in settings.warnings:
        log.warning("%s", warning)
    child = TablesChild()
    if is_new(settings.data_dir):
        child.begin()  # there will be tables to make
    try:
        # Only now, for it takes as long as the child needs to be ready.
        from station_app.cli.running import run_station  # noqa: PLC0415

        uvloop.run(run_station(settings, _accompany, child))
    finally:
        child.dismiss_at_once()


async def _accompany(_: Container, serving: asyncio.Event, stop: asyncio.Event) -> None:
    await serving.wait()
    _spare_what_stays()
    notify("READY=1")
    while not stop.is_set():
        _give_back()
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVEN_BACK_EVERY):
                await stop.wait()
    notify("STOPPING=1")


def _give_back() -> None:
    """Let go of cycles that the collector, of what has lived for long, looks at seldom; 2 ms, under load up to 25."""
    gc.collect()
    give_back_what_is_free()


def _spare_what_stays() -> None:
    """Let the collector pass over what stays: it took a fifth of the CPU under load, and 40 ms each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
