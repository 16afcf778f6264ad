from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.memory.clock import settled
from station_core.devices.activity import ActivityFilter
from station_core.devices.events import DeviceAdded, DeviceDeleted, DeviceStateChanged, DeviceUpdated
from station_core.devices.types import TYPES
from station_core.devices.zones import Zone
from station_core.errors import (
    BrokerUnavailable,
    DeviceUnknown,
    ExternalIdInvalid,
    ExternalIdTaken,
    Malformed,
    NotFound,
    Stale,
    StationError,
    StoreFull,
    StoreUnavailable,
    Unauthenticated,
)
from tests.unit.core.living import PORTRAIT, STATION, kept, listening, living

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home


async def test_an_added_device_is_stored_known_admitted_and_told(ports: MemoryPorts, home: Home) -> None:
    await ports.store.add_zone(Zone(id="hall", name="hall"))
    told = listening(home)

    device, token = await home.household.add(external_id="lamp", name="  Lamp ", type_id="light", zone_id="hall")

    assert (device.name, device.zone_id) == ("Lamp", "hall")
    assert told.take() == [DeviceAdded(device=device, timestamp=ports.clock.now())]
    assert home.household.devices() == [device]
    assert home.keyring.verify(token) == device.id
    assert ports.door.admitted == {"lamp": ports.door.digest(token)}
    stored = await ports.store.find("lamp")
    assert stored is not None
    assert stored[0] == device
    assert token not in repr(stored)


async def test_devices_are_listed_by_name(home: Home) -> None:
    for name in ("b", "C", "a"):
        await home.household.add(external_id=name, name=name, type_id="light")

    assert [device.name for device in home.household.devices()] == ["a", "b", "C"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"external_id": "+"}, ExternalIdInvalid),
        ({"name": "  "}, Malformed),
        ({"name": "x" * 101}, Malformed),
        ({"name": "a\0"}, Malformed),
        ({"type_id": "a/b"}, Malformed),
        ({"zone_id": "nowhere"}, NotFound),
        ({"external_id": "taken"}, ExternalIdTaken),
    ],
    ids=str,
)
async def test_a_device_that_is_refused_leaves_nothing(
    ports: MemoryPorts, home: Home, fields: dict[str, Any], error: type[StationError]
) -> None:
    await living(home, "taken")
    before = home.household.devices()
    told = listening(home)

    with pytest.raises(error):
        await home.household.add(**{"external_id": "lamp", "name": "Lamp", "type_id": "light", **fields})

    assert home.household.devices() == before
    assert [account.external_id for account in home.keyring.accounts()] == ["taken"]
    assert await ports.store.find("lamp") is None
    assert told.take() == []


async def test_of_two_who_add_the_same_device_at_once_one_wins(home: Home) -> None:
    outcomes = await asyncio.gather(living(home), living(home), return_exceptions=True)

    assert [isinstance(outcome, ExternalIdTaken) for outcome in outcomes] == [False, True]
    assert len(home.household.devices()) == 1


async def test_a_device_that_the_door_does_not_admit_is_not_added(ports: MemoryPorts, home: Home) -> None:
    ports.door.trouble = BrokerUnavailable()

    with pytest.raises(BrokerUnavailable):
        await living(home)

    assert await ports.store.find("lamp") is None
    ports.door.trouble = None
    await living(home)


@pytest.mark.parametrize("turns", range(6))
async def test_who_gives_up_adding_leaves_nothing_or_all(ports: MemoryPorts, home: Home, turns: int) -> None:
    async with asyncio.TaskGroup() as group:
        adding = group.create_task(living(home))
        await settled(turns)
        adding.cancel()
        adding.cancel()

    known = home.registry.holds("lamp")
    assert (await ports.store.find("lamp") is not None) is known
    assert bool(home.keyring.accounts()) is known
    assert adding.cancelled() is not known


async def test_while_the_store_is_away_nothing_changes(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    told = listening(home)
    ports.store.trouble = StoreUnavailable()

    with pytest.raises(StoreUnavailable):
        await living(home, "fan")
    with pytest.raises(StoreUnavailable):
        await home.household.update(device.id, name="Other")
    with pytest.raises(StoreUnavailable):
        await home.household.remove(device.id)

    assert home.household.devices() == [device]
    assert told.take() == []
    assert [account.external_id for account in home.keyring.accounts()] == ["lamp"]


async def test_what_listeners_begin_with_is_what_was_told(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await kept(home.devices.report_state("lamp", {"on": True}))
    ports.store.trouble = StoreUnavailable()
    home.devices.report_state("lamp", {"on": False})
    await settled()
    ports.store.trouble = None

    before = home.household.told()
    await home.household.update(device.id, name="Ceiling")
    after = home.household.told()
    await ports.clock.advance(2)

    assert [(d.name, d.state) for d in (*before, *after)] == [("Lamp", {"on": True}), ("Ceiling", {"on": True})]
    assert home.household.told() == home.household.devices()


async def test_a_device_is_renamed_and_moved_and_each_alone(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await ports.store.add_zone(Zone(id="hall", name="hall"))
    told = home.bus.subscribe(DeviceUpdated, bound=10)

    moved = await home.household.update(device.id, zone_id="hall")
    renamed = await home.household.update(device.id, name=" Ceiling ")
    back = await home.household.update(device.id, zone_id=None)

    assert [(d.name, d.zone_id) for d in (moved, renamed, back)] == [
        ("Lamp", "hall"),
        ("Ceiling", "hall"),
        ("Ceiling", None),
    ]
    assert [event.device for event in told.take()] == [moved, renamed, back]


async def test_what_a_device_reports_while_it_is_renamed_is_not_lost(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    async with asyncio.TaskGroup() as group:
        group.create_task(home.household.update(device.id, name="Ceiling"))
        await asyncio.sleep(0)
        receipt = home.devices.report_state("lamp", {"on": True})
    await kept(receipt)

    stored = await ports.store.find("lamp")
    after = home.household.device(device.id)
    assert stored is not None
    assert (after.name, after.state) == (stored[0].name, stored[0].state) == ("Ceiling", {"on": True})


async def test_a_device_that_is_not_there_is_unknown(home: Home) -> None:
    with pytest.raises(DeviceUnknown):
        await home.household.update("nobody", name="x")
    with pytest.raises(DeviceUnknown):
        await home.household.remove("nobody")
    with pytest.raises(DeviceUnknown):
        home.household.device("nobody")


async def test_a_removed_device_is_gone_everywhere_but_its_activities_stay(ports: MemoryPorts, home: Home) -> None:
    device, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await kept(home.devices.heartbeat("lamp"))
    told = listening(home)

    await home.household.remove(device.id)

    assert told.take() == [DeviceDeleted(device_id=device.id, device_name="Lamp", timestamp=ports.clock.now())]
    assert await ports.store.find("lamp") is None
    assert ports.door.admitted == {}
    assert len((await ports.store.activities(ActivityFilter(device_id=device.id))).items) == 1
    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)
    with pytest.raises(DeviceUnknown):
        home.devices.heartbeat("lamp")


@pytest.mark.parametrize("trouble", [BrokerUnavailable(), StoreFull(), StoreUnavailable()])
async def test_a_device_is_removed_also_while_the_broker_cannot_be_told(
    ports: MemoryPorts, home: Home, trouble: StationError
) -> None:
    device = await living(home)
    ports.door.trouble = trouble

    await home.household.remove(device.id)

    assert home.household.devices() == []


async def test_nothing_more_is_told_of_a_device_that_was_removed_while_its_changes_waited(
    ports: MemoryPorts, home: Home
) -> None:
    device = await living(home)
    told = listening(home)

    receipt = home.devices.receive_event("lamp", "user_event", {"action": "press"})
    await home.household.remove(device.id)
    await kept(receipt)

    assert [type(event) for event in told.take()][-1] is DeviceDeleted
    assert await ports.store.find("lamp") is None
    assert (await ports.store.activities()).items != []


async def test_a_device_that_comes_again_under_its_id_is_another(ports: MemoryPorts, home: Home) -> None:
    former = await living(home)
    ports.store.trouble = StoreUnavailable()
    receipt = home.devices.report_state("lamp", {"on": True})
    await settled()
    ports.store.trouble = None

    await home.household.remove(former.id)
    present = await living(home)
    told = home.bus.subscribe(DeviceStateChanged, bound=10)
    await ports.clock.advance(2)
    await kept(receipt)

    stored = await ports.store.find("lamp")
    assert home.household.device(present.id).state == {}
    assert stored is not None
    assert stored[0].state == {}
    assert told.take() == []


async def test_the_station_starts_also_while_the_broker_is_away(ports: MemoryPorts) -> None:
    ports.door.trouble = BrokerUnavailable()

    async with ports.running() as home:
        assert ports.store.types == TYPES
        assert home.health.ready


async def test_credentials_survive_a_restart(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        device, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    ports.door.admitted.clear()

    async with ports.running() as home:
        assert home.keyring.verify(token) == device.id
        assert list(ports.door.admitted) == ["lamp"]


async def test_a_new_device_that_never_spoke_is_answered_at_its_first_handshake(ports: MemoryPorts, home: Home) -> None:
    await living(home)

    home.devices.handshake("lamp", PORTRAIT, station_id=STATION)

    assert [answer.known for answer in ports.link.answers] == [True]


async def test_a_change_of_what_somebody_else_has_changed_meanwhile_is_refused(home: Home) -> None:
    device = await living(home)
    with pytest.raises(Stale):
        await home.household.update(device.id, name="Other", editions=["an older one"])
    changed = await home.household.update(device.id, name="Other", editions=[device.edition])

    assert changed.name == "Other"
