from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_core.devices.events import DeviceStateChanged, DeviceUpdated
from station_core.devices.zones import Zone
from station_core.errors import Malformed, NotFound, StoreUnavailable, ZoneNameTaken
from tests.unit.core.living import kept, listening, living

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home


async def test_zones_outlive_the_station(ports: MemoryPorts, home: Home) -> None:
    kitchen = await home.zones.add(" Kitchen ")
    later = ports.home()
    await later.load()

    assert kitchen.name == "Kitchen"
    assert list(later.zones.all()) == [kitchen]


async def test_what_a_device_has_reported_stays_when_its_zone_goes(ports: MemoryPorts, home: Home) -> None:
    kitchen = await home.zones.add("Kitchen")
    lamp = await living(home)
    await home.household.update(lamp.id, zone_id=kitchen.id)
    ports.store.trouble = StoreUnavailable()
    receipt = home.devices.report_state("lamp", {"on": True})
    ports.store.trouble = None
    told = listening(home)
    await home.zones.remove(kitchen.id)
    await kept(receipt)

    present = home.household.device(lamp.id)
    assert (present.zone_id, present.state) == (None, {"on": True})
    updates = [event for event in told.take() if isinstance(event, DeviceUpdated | DeviceStateChanged)]
    assert sorted(type(event).__name__ for event in updates) == ["DeviceStateChanged", "DeviceUpdated"]
    stored = await ports.store.find("lamp")
    assert stored is not None
    assert (stored[0].zone_id, stored[0].state) == (None, {"on": True})


async def test_what_the_store_refuses_leaves_memory_as_it_was(ports: MemoryPorts, home: Home) -> None:
    kitchen = await home.zones.add("Kitchen")
    with pytest.raises(ZoneNameTaken):
        await home.zones.add("kitchen")
    with pytest.raises(NotFound):
        await home.zones.rename("attic", "Attic")
    with pytest.raises(Malformed):
        await home.zones.rename(kitchen.id, "x" * 65)
    ports.store.trouble = StoreUnavailable()
    for attempt in (home.zones.add("Hall"), home.zones.rename(kitchen.id, "Hall"), home.zones.remove(kitchen.id)):
        with pytest.raises(StoreUnavailable):
            await attempt

    assert list(home.zones.all()) == [kitchen]


async def test_a_zone_whose_adding_was_kept_though_its_answer_was_lost_is_shown_to_who_asks_for_it_again(
    ports: MemoryPorts, home: Home
) -> None:
    attic, cellar, garden = (Zone(id=name, name=name) for name in ("attic", "cellar", "garden"))
    kitchen = await home.zones.add("Kitchen")
    await ports.store.add_zone(attic)
    with pytest.raises(ZoneNameTaken):
        await home.zones.add("Attic")
    assert list(home.zones.all()) == [attic, kitchen]
    await ports.store.add_zone(cellar)
    with pytest.raises(ZoneNameTaken):
        await home.zones.rename(kitchen.id, "Cellar")
    assert list(home.zones.all()) == [attic, cellar, kitchen]
    await ports.store.add_zone(garden)

    assert await home.zones.named("Garden") == garden


async def test_of_two_who_need_a_zone_of_one_name_at_once_both_get_it(home: Home) -> None:
    first, second = await asyncio.gather(home.zones.named("Attic"), home.zones.named("attic"))

    assert first is second


async def test_a_zone_whose_removal_was_kept_though_its_answer_was_lost_is_removed_by_the_next(
    ports: MemoryPorts, home: Home
) -> None:
    kitchen = await home.zones.add("Kitchen")
    lamp = await living(home)
    await home.household.update(lamp.id, zone_id=kitchen.id)
    await ports.store.remove_zone(kitchen.id, at=ports.clock.now())

    await home.zones.remove(kitchen.id)

    assert home.zones.all() == []
    assert home.household.device(lamp.id).zone_id is None


async def test_a_renamed_zone_keeps_its_devices_which_are_listed_by_name(home: Home) -> None:
    kitchen = await home.zones.add("Kitchen")
    for name in ("b", "A"):
        device = await living(home, name)
        await home.household.update(device.id, zone_id=kitchen.id)
    renamed = await home.zones.rename(kitchen.id, "Galley")

    assert home.zones.zone(kitchen.id) == renamed
    assert [device.external_id for device in home.zones.devices(kitchen.id)] == ["A", "b"]


async def test_a_zone_asked_for_by_its_name_is_made_when_there_is_none(home: Home) -> None:
    made = await home.zones.named(" Attic ")

    assert made.name == "Attic"
    assert await home.zones.named("ATTIC") == made
    assert list(home.zones.all()) == [made]
