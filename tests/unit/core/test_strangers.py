from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import NEW_YEAR, settled
from station_adapters.memory.devices import MemoryDeviceStore
from station_adapters.memory.home import MemoryPorts
from station_core.devices.credentials import Credential, digest
from station_core.devices.events import DeviceAdded
from station_core.devices.model import Device
from station_core.devices.strangers import LOOKUPS_PER_SECOND, NO_KEPT_FOR, WAITING_BOUND
from station_core.errors import StationError, StoreFull, StoreUnavailable
from tests.unit.core.living import PORTRAIT, STATION, living

if TYPE_CHECKING:
    from station_core.home import Home

LAMP = Device(id="1", external_id="lamp", name="Lamp", type="light", created_at=NEW_YEAR, updated_at=NEW_YEAR)
TOKEN = "token"
CREDENTIAL = Credential(device_id="1", external_id="lamp", digest=digest(TOKEN), broker_digest="b")


def knock(home: Home, external_id: str = "lamp", station_id: str = STATION) -> None:
    home.devices.handshake_of_stranger(external_id, PORTRAIT, station_id=station_id)


def answers(ports: MemoryPorts) -> list[tuple[str, bool]]:
    return [(answer.external_id, answer.known) for answer in ports.link.answers]


async def test_only_the_store_makes_a_device_unknown(ports: MemoryPorts, home: Home) -> None:
    knock(home)
    assert answers(ports) == []
    await settled()

    assert answers(ports) == [("lamp", False)]


@pytest.mark.parametrize("trouble", [StoreUnavailable(), StoreFull()], ids=lambda trouble: trouble.code)
async def test_while_the_store_cannot_tell_nothing_is_answered(
    ports: MemoryPorts, home: Home, trouble: StationError
) -> None:
    ports.store.trouble = trouble
    knock(home)
    await ports.clock.advance(60)
    assert answers(ports) == []

    ports.store.trouble = None
    await ports.clock.advance(60)
    assert answers(ports) == []
    knock(home)
    await settled()

    assert answers(ports) == [("lamp", False)]


async def test_a_device_that_the_store_alone_knows_is_taken_into_memory(ports: MemoryPorts, home: Home) -> None:
    await ports.store.add(LAMP, CREDENTIAL)
    told = home.bus.subscribe(DeviceAdded, bound=10)

    knock(home)
    await settled()

    assert answers(ports) == [("lamp", True)]
    assert home.household.devices() == [LAMP]
    assert home.keyring.verify(TOKEN) == "1"
    assert [event.device for event in told.take()] == [LAMP]


async def test_a_device_without_a_credential_is_taken_in_too(ports: MemoryPorts, home: Home) -> None:
    await ports.store.add(LAMP, CREDENTIAL)
    del ports.store._credentials["1"]

    knock(home)
    await settled()

    assert home.household.devices() == [LAMP]
    assert home.keyring.accounts() == []


async def test_a_stranger_that_knocks_again_meanwhile_is_looked_up_once(ports: MemoryPorts, home: Home) -> None:
    for station_id in ("old", "new"):
        knock(home, station_id=station_id)
    await ports.clock.advance(1)

    assert [(a.station_id, a.known) for a in ports.link.answers] == [("new", False)]


async def test_look_ups_keep_to_their_pace(ports: MemoryPorts, home: Home) -> None:
    for n in range(100):
        knock(home, f"d{n}")

    await ports.clock.advance(0.999)
    assert len(ports.link.answers) == LOOKUPS_PER_SECOND
    await ports.clock.advance(1)
    assert len(ports.link.answers) == 2 * LOOKUPS_PER_SECOND


async def test_a_no_is_believed_for_ten_seconds(ports: MemoryPorts, home: Home) -> None:
    knock(home)
    await ports.clock.advance(NO_KEPT_FOR - 1)
    ports.store.trouble = StoreUnavailable()
    knock(home)
    await settled()
    assert answers(ports) == [("lamp", False)] * 2

    await ports.clock.advance(1)
    knock(home)
    await ports.clock.advance(1)

    assert answers(ports) == [("lamp", False)] * 2


async def test_noes_that_are_over_are_forgotten(ports: MemoryPorts, home: Home) -> None:
    for n in range(50):
        knock(home, f"d{n}")
        await ports.clock.advance(1)

    assert len(home.strangers._noes) == NO_KEPT_FOR


async def test_a_device_that_is_added_is_no_stranger_any_more(ports: MemoryPorts, home: Home) -> None:
    knock(home)
    await settled()

    await living(home)
    knock(home)
    await ports.clock.advance(1)

    assert answers(ports) == [("lamp", False), ("lamp", True)]


async def test_the_stores_answer_is_never_older_than_what_memory_knows() -> None:
    answer = asyncio.Event()

    class Slow(MemoryDeviceStore):
        async def find(self, external_id: str) -> tuple[Device, Credential | None] | None:
            found = await super().find(external_id)
            await answer.wait()
            return found

    ports = MemoryPorts()
    ports.store = Slow(ports.randomness)
    async with ports.running() as home, asyncio.TaskGroup() as group:
        knock(home)
        await settled()
        adding = group.create_task(living(home))
        await settled()
        answer.set()
        await adding
        before = len(ports.link.answers)
        await ports.clock.advance(1)

    assert before == 1
    assert answers(ports) == [("lamp", False)]


@pytest.mark.parametrize("turns", range(8))
async def test_a_device_that_is_added_amid_its_look_up_is_never_called_unknown_afterwards(
    ports: MemoryPorts, home: Home, turns: int
) -> None:
    told = home.bus.subscribe(DeviceAdded, bound=10)
    knock(home)
    async with asyncio.TaskGroup() as group:
        adding = group.create_task(living(home))
        await settled(turns)
        knock(home)
        await adding
        before = len(ports.link.answers)
    await ports.clock.advance(1)
    knock(home)
    await ports.clock.advance(1)

    assert all(known for _, known in answers(ports)[before:])
    assert answers(ports)[-1] == ("lamp", True)
    assert len(told.take()) == 1


@pytest.mark.parametrize("turns", range(8))
async def test_a_device_that_is_removed_amid_a_look_up_does_not_come_back(
    ports: MemoryPorts, home: Home, turns: int
) -> None:
    device = await living(home)
    async with asyncio.TaskGroup() as group:
        removing = group.create_task(home.household.remove(device.id))
        await settled(turns)
        knock(home)
        await removing
    await ports.clock.advance(1)

    assert home.household.devices() == []


async def test_strangers_beyond_the_bound_are_counted_and_come_again(ports: MemoryPorts, home: Home) -> None:
    for n in range(WAITING_BOUND + 3):
        knock(home, f"d{n}")
    knock(home, "d0")

    assert home.strangers.overlooked == 3
    await ports.clock.advance(60)
    knock(home, f"d{WAITING_BOUND}")
    await settled()
    assert answers(ports)[-1] == (f"d{WAITING_BOUND}", False)


async def test_a_look_up_that_fails_unforeseen_is_not_tried_for_ever(ports: MemoryPorts) -> None:
    home = ports.home()
    await home.load()
    ports.store.trouble = StationError("a bug")
    knock(home)

    with pytest.raises(StationError, match="a bug"):
        await home.strangers.run()

    ports.store.trouble = None
    async with asyncio.TaskGroup() as group:
        running = group.create_task(home.strangers.run())
        await ports.clock.advance(1)
        running.cancel()
    assert answers(ports) == []


async def test_a_device_found_in_the_store_is_not_online_until_it_speaks(ports: MemoryPorts, home: Home) -> None:
    await ports.store.add(replace(LAMP, session=3), CREDENTIAL)
    knock(home)
    await settled()

    assert home.household.device("1").status.value == "offline"
