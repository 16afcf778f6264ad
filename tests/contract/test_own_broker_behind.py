"""A list that couldn't be given to the station's own Mosquitto, or that nobody waited for: it's given later."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from station_adapters.mosquitto import broker
from station_core.errors import StoreFull
from tests.contract.broker_park import DOOR, LAMP, Park, running, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from station_core.devices.credentials import Account


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without much ado."""
    monkeypatch.setattr(broker, "BEHIND_FOR", (0.05, 0.1))


class Disk:
    """One that may be `full`, or `holds` the next file until it's `free`."""

    def __init__(self) -> None:
        self.full = False
        self.holds = False
        self.busy, self.free, self.ended = threading.Event(), threading.Event(), threading.Event()

    def write(self, path: Path, content: bytes) -> None:
        if self.full:
            raise StoreFull
        if not self.holds:
            write(path, content)
            return
        self.holds = False
        self.busy.set()
        assert self.free.wait(10)
        write(path, content)
        self.ended.set()


@asynccontextmanager
async def parked(folder: Path, disk: Disk) -> AsyncIterator[Park]:
    park = Park(folder, write=disk.write)
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        yield park


def without_lamp(park: Park) -> list[Account]:
    return [account for account in park.accounts if account.external_id != LAMP]


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
    async with parked(tmp_path, disk) as park:
        disk.full = True
        with pytest.raises(StoreFull):
            await park.broker.admit(without_lamp(park))
        async with park.device(LAMP) as lamp:
            disk.full = False
            await cut_off(lamp)
        entered = [await enters(park, name) for name in (LAMP, DOOR)]

    assert entered == [False, True]


async def test_who_is_removed_is_thrown_out_though_the_caller_gave_up(tmp_path: Path) -> None:
    disk = Disk()
    async with parked(tmp_path, disk) as park:
        async with park.device(LAMP) as lamp:
            disk.holds = True
            removing = asyncio.create_task(park.broker.admit(without_lamp(park)))
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
    async with parked(tmp_path, disk) as park:
        disk.holds = True
        older = asyncio.create_task(park.broker.admit(park.accounts))
        await asyncio.to_thread(disk.busy.wait, 10)
        older.cancel()
        newer = asyncio.create_task(park.broker.admit(without_lamp(park)))
        await asyncio.wait([newer], timeout=0.5)  # it has all the time to go ahead of the older one
        disk.free.set()
        await newer
        await asyncio.to_thread(disk.ended.wait, 10)
        named = (tmp_path / "passwords").read_text()
        entered = [await enters(park, name) for name in (LAMP, DOOR)]

    assert older.cancelled()
    assert f"{LAMP}:" not in named  # a broker that is started anew reads it, too
    assert entered == [False, True]


async def test_a_newer_list_whose_bringer_gave_up_comes_behind_the_older_one(tmp_path: Path) -> None:
    disk = Disk()
    async with parked(tmp_path, disk) as park:
        async with park.device(LAMP) as lamp:
            disk.holds = True
            older = asyncio.create_task(park.broker.admit(park.accounts))
            await asyncio.to_thread(disk.busy.wait, 10)
            newer = asyncio.create_task(park.broker.admit(without_lamp(park)))
            await asyncio.sleep(0)
            newer.cancel()
            disk.free.set()
            await older
            await cut_off(lamp)
        entered = [await enters(park, name) for name in (LAMP, DOOR)]

    assert newer.cancelled()
    assert entered == [False, True]
