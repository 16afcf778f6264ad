from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_adapters.memory.home import MemoryPorts
from station_core.cloud.reset import BACK_WITHIN, TOLD_WITHIN
from station_core.devices.model import Introduction
from station_core.errors import BrokerUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.home import Home

ALL = ["lamp", "pir", "plug"]


async def add(home: Home, *names: str) -> None:
    for name in names:
        await home.household.add(external_id=name, name=name, type_id="light")


def told(ports: MemoryPorts) -> list[str]:
    assert all(sent.command["action"] == "factory_reset" for sent in ports.link.commands)
    return [sent.external_id for sent in ports.link.commands]


@asynccontextmanager
async def given_up(ports: MemoryPorts) -> AsyncIterator[Home]:
    """A claimed home with three devices that is to be given up, before anything was said to a device."""
    async with ports.running() as home:
        await add(home, *ALL)
        await home.claim.claimed("the token", by=home.claim.standing)
        await home.reset.begin()
        yield home


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


async def test_all_devices_are_told_and_then_the_process_is_to_end(ports: MemoryPorts) -> None:
    async with given_up(ports) as home:
        await asyncio.wait_for(home.reset.leaving.wait(), 5)
        standing = home.claim.standing

        assert sorted(told(ports)) == ALL
        assert (standing.config, standing.unreset) == (None, ())
        assert len(home.household.devices()) == 3


async def test_a_device_that_answers_commands_gets_one_that_it_can_answer(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        await add(home, "lamp")
        home.devices.handshake("lamp", Introduction(type="light", firmware_version="1", acks=True))
        await home.journal.drained()
        await home.reset.begin()
        await asyncio.wait_for(home.reset.leaving.wait(), 5)

        [sent] = ports.link.commands
        assert sent.command["commandId"]


async def test_a_home_without_devices_is_given_up_at_once(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        await home.reset.begin()
        await asyncio.wait_for(home.reset.leaving.wait(), 5)

        assert told(ports) == []


async def test_the_broker_is_waited_for(ports: MemoryPorts) -> None:
    ports.link.trouble = BrokerUnavailable()
    async with given_up(ports) as home:
        await settled()
        ports.link.trouble = None
        await ports.clock.advance(1)
        await asyncio.wait_for(home.reset.leaving.wait(), 5)

        assert sorted(told(ports)) == ALL


async def test_but_not_forever_and_the_next_run_tells_them_without_ending(ports: MemoryPorts) -> None:
    ports.link.trouble = BrokerUnavailable()
    async with given_up(ports) as home:
        await settled()
        await ports.clock.advance(TOLD_WITHIN)
        await asyncio.wait_for(home.reset.leaving.wait(), 5)
    ports.link.trouble = None
    async with ports.running() as again:
        await ports.clock.advance(BACK_WITHIN + 1)

        assert sorted(told(ports)) == ALL
        assert again.claim.standing.unreset == ()
        assert not again.reset.leaving.is_set()


async def test_a_power_cut_half_way_leaves_nobody_untold(ports: MemoryPorts) -> None:
    async with given_up(ports):
        ports.link.trouble = BrokerUnavailable()
    ports.link.trouble = None
    assert told(ports) == []
    async with ports.running() as again:
        await ports.clock.advance(5)
        assert told(ports) == []  # nobody is there yet: it would be said to the wind

        for n, name in enumerate(ALL, 1):
            again.devices.handshake(name, Introduction(type="light", firmware_version="1"))
            await again.journal.drained()
            await ports.clock.advance(5)
            assert sorted(told(ports)) == ALL[:n]
        assert again.claim.standing.unreset == ()


async def test_who_isnt_back_in_time_is_told_all_the_same(ports: MemoryPorts) -> None:
    async with given_up(ports):
        pass
    async with ports.running() as again:
        await ports.clock.advance(5)
        [lamp] = [device for device in again.household.devices() if device.external_id == "lamp"]
        await again.household.remove(lamp.id)
        await ports.clock.advance(BACK_WITHIN)

        assert sorted(told(ports)) == ["pir", "plug"]
        assert again.claim.standing.unreset == ()


async def test_a_device_that_is_removed_meanwhile_is_nobodys(ports: MemoryPorts) -> None:
    ports.link.trouble = BrokerUnavailable()
    async with given_up(ports) as home:
        await settled()
        [lamp] = [device for device in home.household.devices() if device.external_id == "lamp"]
        await home.household.remove(lamp.id)
        ports.link.trouble = None
        await ports.clock.advance(1)
        await asyncio.wait_for(home.reset.leaving.wait(), 5)

        assert sorted(told(ports)) == ["pir", "plug"]


async def test_a_reset_that_cant_be_remembered_doesnt_begin(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        await add(home, *ALL)
        before = await home.claim.claimed("the token", by=home.claim.standing)
        ports.cloud.trouble = StoreUnavailable()
        with pytest.raises(StoreUnavailable):
            await home.reset.begin()
        await settled()

        assert home.claim.standing is before
        assert told(ports) == []
        assert not home.reset.leaving.is_set()


async def test_nobody_is_told_twice_for_a_store_that_was_away_at_the_end(ports: MemoryPorts) -> None:
    async with given_up(ports) as home:
        ports.cloud.trouble = StoreUnavailable()
        await settled(50)
        ports.cloud.trouble = None
        await ports.clock.advance(1)
        await asyncio.wait_for(home.reset.leaving.wait(), 5)

        assert sorted(told(ports)) == ALL
        assert home.claim.standing.unreset == ()
