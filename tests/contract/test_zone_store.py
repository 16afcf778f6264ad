"""What every `DeviceStore` promises of zones."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.devices.zones import Zone
from station_core.errors import ChangeRefused, NotFound, StoreUnavailable, ZoneNameTaken
from tests.contract.told import NOON, added, credential, device, kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.contract.rigs import StoreRig


def zone(name: str = "Kitchen") -> Zone:
    return Zone(id=str(uuid.uuid4()), name=name)


async def test_a_zone_is_kept_over_a_restart(stores: StoreRig) -> None:
    kitchen, garden = zone("Kitchen é🦀"), zone("Garden")
    await stores.devices.add_zone(kitchen)
    await stores.devices.add_zone(garden)
    await stores.reopen()

    assert sorted(await stores.devices.zones(), key=lambda z: z.name) == [garden, kitchen]


async def test_a_name_is_borne_once_in_whatever_case(stores: StoreRig) -> None:
    street, hall = zone("Straße"), zone("Hall")
    await stores.devices.add_zone(street)
    await stores.devices.add_zone(hall)
    for name in ("Straße", "STRASSE", "straße"):
        with pytest.raises(ZoneNameTaken):
            await stores.devices.add_zone(zone(name))
        with pytest.raises(ZoneNameTaken):
            await stores.devices.rename_zone(replace(hall, name=name))

    assert {z.name for z in await stores.devices.zones()} == {"Straße", "Hall"}


async def test_of_several_at_once_with_one_name_one_is_kept(stores: StoreRig) -> None:
    rivals = [zone(name) for name in ("hall", "HALL", "Hall", "hALL")]
    ends = await asyncio.gather(*(stores.devices.add_zone(rival) for rival in rivals), return_exceptions=True)
    [winner] = await stores.devices.zones()

    assert ends[rivals.index(winner)] is None
    assert sum(isinstance(end, ZoneNameTaken) for end in ends) == 3


async def test_a_zone_takes_another_name_also_its_own_in_another_case(stores: StoreRig) -> None:
    kitchen = zone("kitchen")
    await stores.devices.add_zone(kitchen)
    for name in ("Kitchen", "Cellar"):
        await stores.devices.rename_zone(replace(kitchen, name=name))
    await stores.devices.add_zone(zone("kitchen"))

    assert {z.name for z in await stores.devices.zones()} == {"Cellar", "kitchen"}


async def test_a_zone_that_is_removed_leaves_its_devices_in_none(stores: StoreRig) -> None:
    kitchen, hall = await stores.add_zone(), await stores.add_zone()
    lamp = await added(stores.devices, "lamp", zone_id=kitchen)
    pir = await added(stores.devices, "pir", zone_id=hall)
    at = NOON + timedelta(hours=1)
    await stores.devices.remove_zone(kitchen, at=at)

    assert [z.id for z in await stores.devices.zones()] == [hall]
    assert await kept(stores.devices, "lamp") == replace(lamp, zone_id=None, updated_at=at)
    assert await kept(stores.devices, "pir") == pir
    late = device("late", zone_id=kitchen)
    with pytest.raises(NotFound):
        await stores.devices.add(late, credential(late))


async def test_a_zone_that_isnt_there_is_neither_renamed_nor_removed(stores: StoreRig) -> None:
    for nowhere in (zone(), Zone(id="none of ours", name="x"), Zone(id="x\0", name="x")):
        with pytest.raises(NotFound):
            await stores.devices.rename_zone(nowhere)
        with pytest.raises(NotFound):
            await stores.devices.remove_zone(nowhere.id, at=NOON)

    assert list(await stores.devices.zones()) == []


async def test_without_the_database_no_zone_changes(stores: StoreRig) -> None:
    kitchen, hall = zone("Kitchen"), zone("Hall")
    await stores.devices.add_zone(kitchen)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: stores.devices.add_zone(hall),
        lambda: stores.devices.rename_zone(replace(kitchen, name="Cellar")),
        lambda: stores.devices.remove_zone(kitchen.id, at=NOON),
    ]
    await stores.cut()
    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    await stores.mend()

    assert list(await stores.devices.zones()) == [kitchen]


async def test_a_name_that_no_database_can_keep_is_refused_by_both(sql_stores: StoreRig) -> None:
    with pytest.raises(ChangeRefused):
        await sql_stores.devices.add_zone(zone("a\0b"))
