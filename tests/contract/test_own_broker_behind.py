"""A list that couldn't be given to the station's own Mosquitto, or that nobody waited for: it's given later."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from station_adapters.mosquitto import broker
from station_core.errors import StoreFull
from tests.contract.broker_park import DOOR, LAMP, Park, running, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without much ado."""
    monkeypatch.setattr(broker, "BEHIND_FOR", (0.05, 0.1))


class Disk:
    def __init__(self) -> None:
        self.full = False
        self.busy = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def write(self, path: Path, content: bytes) -> None:
        if self.full:
            raise StoreFull
        if not self.free.is_set():
            self.busy.set()
            assert self.free.wait(10)
        write(path, content)


async def cut_off(lamp: aiomqtt.Client) -> None:
    """Return when the broker has thrown it out."""
    with pytest.raises(aiomqtt.MqttError):
        async with asyncio.timeout(10):
            await anext(lamp.messages)


async def enters(park: Park, name: str) -> bool:
    try:
        async with park.device(name):
            return True
    except aiomqtt.MqttError:
        return False


async def test_who_is_removed_while_the_disk_is_full_is_thrown_out_once_there_is_room(tmp_path: Path) -> None:
    disk = Disk()
    park = Park(tmp_path, write=disk.write)
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        disk.full = True
        with pytest.raises(StoreFull):
            await park.broker.admit([one for one in park.accounts if one.external_id != LAMP])
        async with park.device(LAMP) as lamp:
            disk.full = False
            await cut_off(lamp)
        entered = [await enters(park, name) for name in (LAMP, DOOR)]

    assert entered == [False, True]


async def test_who_is_removed_is_thrown_out_though_the_caller_gave_up(tmp_path: Path) -> None:
    disk = Disk()
    park = Park(tmp_path, write=disk.write)
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        async with park.device(LAMP) as lamp:
            disk.free.clear()
            removing = asyncio.create_task(park.broker.admit([one for one in park.accounts if one.external_id != LAMP]))
            await asyncio.to_thread(disk.busy.wait, 10)
            removing.cancel()
            disk.free.set()
            with pytest.raises(asyncio.CancelledError):
                await removing
            await cut_off(lamp)
        entered = [await enters(park, name) for name in (LAMP, DOOR)]

    assert entered == [False, True]


async def test_no_older_list_comes_after_a_newer_one(tmp_path: Path) -> None:
    disk = Disk()
    park = Park(tmp_path, write=disk.write)
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        disk.free.clear()
        older = asyncio.create_task(park.broker.admit(park.accounts))
        await asyncio.to_thread(disk.busy.wait, 10)
        older.cancel()
        newer = asyncio.create_task(park.broker.admit([one for one in park.accounts if one.external_id != LAMP]))
        await asyncio.sleep(0)
        disk.free.set()
        await newer
        entered = [await enters(park, name) for name in (LAMP, DOOR)]

    assert older.cancelled()
    assert entered == [False, True]


async def test_a_newer_list_whose_bringer_gave_up_comes_behind_the_older_one(tmp_path: Path) -> None:
    disk = Disk()
    park = Park(tmp_path, write=disk.write)
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        async with park.device(LAMP) as lamp:
            disk.free.clear()
            older = asyncio.create_task(park.broker.admit(park.accounts))
            await asyncio.to_thread(disk.busy.wait, 10)
            newer = asyncio.create_task(park.broker.admit([one for one in park.accounts if one.external_id != LAMP]))
            await asyncio.sleep(0)
            newer.cancel()
            disk.free.set()
            await older
            await cut_off(lamp)
        entered = [await enters(park, name) for name in (LAMP, DOOR)]

    assert newer.cancelled()
    assert entered == [False, True]
