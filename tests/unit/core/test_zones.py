from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.devices.events import DeviceStateChanged, DeviceUpdated
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
