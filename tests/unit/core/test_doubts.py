"""A change of devices or zones was kept and its answer lost; nobody asks again, and memory is as the store is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from station_adapters.memory.audit import Ledger
from station_adapters.memory.devices import MemoryDeviceStore
from station_adapters.memory.home import MemoryPorts
from station_core.devices.doubts import LOOKED_AGAIN_AFTER
from station_core.devices.events import DeviceAdded, DeviceDeleted, DeviceUpdated
from station_core.devices.model import Status
from station_core.errors import DeviceUnknown, StoreFull, StoreUnavailable, Unauthenticated
from tests.unit.core.living import kept, kinds, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from station_core.audit.model import Deed
    from station_core.home import Home

T = TypeVar("T")


class Distant(MemoryDeviceStore):
    """The answers to its next *unheard* changes don't come."""

    unheard = 0

    async def _atomic(self, effect: Callable[[], T], deed: Deed | None = None) -> T:
        result = await super()._atomic(effect, deed)
        if self.unheard:
            self.unheard -= 1
            raise StoreUnavailable
        return result


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


@pytest.fixture
def store(ports: MemoryPorts) -> Distant:
    ports.store = store = Distant(ports.randomness, Ledger(), ports.outbox)
    return store


@pytest.fixture
async def home(ports: MemoryPorts, store: Distant) -> AsyncIterator[Home]:  # which it takes from the ports
    async with ports.running() as home:
        yield home


@pytest.fixture
async def token(home: Home) -> str:
    _, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await kept(home.devices.report_state("lamp", {"on": True}))
    return token


async def test_a_new_name_and_place_show_and_what_the_device_reported_stays(
    ports: MemoryPorts, store: Distant, home: Home, token: str
) -> None:
    attic = await home.zones.add("Attic")
    [lamp] = home.household.devices()
    told = listening(home)
    store.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.household.update(lamp.id, name="Reading lamp", zone_id=attic.id)
    home.devices.report_state("lamp", {"on": False})
    before = home.household.device(lamp.id).name
    await ports.clock.advance(LOOKED_AGAIN_AFTER)

    after = home.household.device(lamp.id)
    assert before == "Lamp"
    assert (after.name, after.zone_id, after.state, after.status) == (
        "Reading lamp",
        attic.id,
        {"on": False},
        Status.ONLINE,
    )
    assert [e.device.name for e in told.take() if isinstance(e, DeviceUpdated)][-1] == "Reading lamp"
    assert home.keyring.verify(token) == lamp.id


async def test_a_removed_device_is_gone_with_its_rights(
    ports: MemoryPorts, store: Distant, home: Home, token: str
) -> None:
    [lamp] = home.household.devices()
    told = listening(home)
    store.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.household.remove(lamp.id)
    admitted = dict(ports.door.admitted)
    await ports.clock.advance(LOOKED_AGAIN_AFTER)

    assert set(admitted) == {"lamp"}
    assert home.household.devices() == []
    assert ports.door.admitted == {}
    assert [event for event in told.take() if isinstance(event, DeviceDeleted)]
    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)
    with pytest.raises(DeviceUnknown):
        home.devices.heartbeat("lamp")


async def test_a_revoked_device_is_shut_out_and_stays(
    ports: MemoryPorts, store: Distant, home: Home, token: str
) -> None:
    [lamp] = home.household.devices()
    store.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.household.revoke(lamp.id)
    entered = home.keyring.verify(token)
    await ports.clock.advance(LOOKED_AGAIN_AFTER)

    assert entered == lamp.id
    assert ports.door.admitted == {}
    assert home.household.device(lamp.id).status is Status.OFFLINE
    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)


@pytest.mark.usefixtures("token")
async def test_a_token_that_nobody_was_shown_is_asked_for_again(ports: MemoryPorts, store: Distant, home: Home) -> None:
    [lamp] = home.household.devices()
    await home.household.revoke(lamp.id)
    await home.journal.drained()
    store.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.household.renew(lamp.id)
    await ports.clock.advance(LOOKED_AGAIN_AFTER)

    shown = await home.household.renew(lamp.id)

    assert home.keyring.verify(shown) == lamp.id


async def test_an_added_device_is_shown(ports: MemoryPorts, store: Distant, home: Home) -> None:
    told = listening(home)
    store.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await ports.clock.advance(LOOKED_AGAIN_AFTER)

    [lamp] = home.household.devices()
    assert [event.device for event in told.take() if isinstance(event, DeviceAdded)] == [lamp]


async def test_zones_are_as_the_store_has_them_once_it_is_back(ports: MemoryPorts, store: Distant, home: Home) -> None:
    hall, attic = await home.zones.add("Hall"), await home.zones.add("Attic")
    store.unheard = 2
    with pytest.raises(StoreUnavailable):
        await home.zones.rename(hall.id, "Corridor")
    with pytest.raises(StoreUnavailable):
        await home.zones.remove(attic.id)
    store.trouble = StoreFull()
    await ports.clock.advance(60)
    before = [zone.name for zone in home.zones.all()]
    store.trouble = None
    await ports.clock.advance(LOOKED_AGAIN_AFTER)

    assert before == ["Attic", "Hall"]
    assert [zone.name for zone in home.zones.all()] == ["Corridor"]


@pytest.mark.usefixtures("token")
async def test_where_nothing_was_kept_nothing_changes(ports: MemoryPorts, store: Distant, home: Home) -> None:
    before = home.household.devices()
    told = listening(home)
    store.trouble = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await home.household.update(before[0].id, name="Reading lamp")
    with pytest.raises(StoreUnavailable):
        await home.zones.add("Attic")
    store.trouble = None
    await ports.clock.advance(LOOKED_AGAIN_AFTER)

    assert home.household.devices() == before
    assert home.zones.all() == []
    assert kinds(told.take()) == []
    assert not home.registry.doubted.is_set()
