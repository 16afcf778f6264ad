"""The store kept what was changed, and its answer was lost: by the next change memory is as the store is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.audit import Ledger
from station_adapters.memory.devices import MemoryDeviceStore
from station_core.audit.model import SYSTEM
from station_core.devices.events import DeviceAdded, DeviceDeleted
from station_core.devices.model import Device
from station_core.devices.zones import Zone
from station_core.errors import (
    Conflict,
    DeviceOffline,
    ExternalIdTaken,
    NotFound,
    RegistrationClosed,
    StoreFull,
    StoreUnavailable,
    Unauthenticated,
    ZoneNameTaken,
)
from station_core.identity.events import AccessChanged
from station_core.identity.model import Role, User
from tests.unit.core.living import listening, living
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, login, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from station_core.identity.model import Login
    from tests.unit.core.people import DistantIdentities


class Contrary(MemoryDeviceStore):
    """Says that a name is taken, and then not by whom."""

    async def find(self, external_id: str) -> None:  # noqa: ARG002  # a port's
        return None

    async def zones(self) -> Sequence[Zone]:
        if await super().zones():
            raise StoreUnavailable
        return []


async def test_a_name_that_is_taken_by_nobody_knows_whom_is_taken_all_the_same(ports: MemoryPorts) -> None:
    ports.store = Contrary(ports.randomness, Ledger(), ports.outbox)
    async with ports.running() as home:
        at = ports.clock.now()
        lamp = Device(id="1", external_id="lamp", name="Lamp", type="light", created_at=at, updated_at=at)
        await ports.store.add(lamp, home.keyring.issue("1", "lamp")[1])
        await ports.store.add_zone(Zone(id="attic", name="attic"))
        with pytest.raises(ExternalIdTaken):
            await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        with pytest.raises(ZoneNameTaken):
            await home.zones.named("Attic")

        assert home.household.devices() == []
        assert home.zones.all() == []


async def test_a_device_whose_adding_was_kept_though_its_answer_was_lost_is_shown_to_who_adds_it_again(
    ports: MemoryPorts, home: Home
) -> None:
    at = ports.clock.now()
    kept_alone = Device(id="1", external_id="lamp", name="Lamp", type="light", created_at=at, updated_at=at)
    token, credential = home.keyring.issue(kept_alone.id, kept_alone.external_id)
    await ports.store.add(kept_alone, credential)
    told = listening(home)

    with pytest.raises(ExternalIdTaken):
        await home.household.add(external_id="lamp", name="Another", type_id="light")

    assert home.household.devices() == [kept_alone]
    assert told.take() == [DeviceAdded(device=kept_alone, timestamp=ports.clock.now())]
    assert home.keyring.verify(token) == kept_alone.id
    assert ports.door.admitted == {"lamp": credential.broker_digest}
    with pytest.raises(DeviceOffline):  # it has never spoken
        await home.commands.send(kept_alone.id, {"action": "toggle"}, actor=SYSTEM)
    await home.household.remove(kept_alone.id)
    added, _ = await home.household.add(external_id="lamp", name="Another", type_id="light")
    assert home.household.devices() == [added]


async def test_a_device_whose_removal_was_kept_though_its_answer_was_lost_is_removed_by_the_next(
    ports: MemoryPorts, home: Home
) -> None:
    device, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await ports.store.remove(device.id, at=ports.clock.now())
    told = listening(home)

    await home.household.remove(device.id)

    assert home.household.devices() == []
    assert [type(event) for event in told.take()] == [DeviceDeleted]
    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)


async def test_a_device_is_taken_back_also_when_nobody_heard_that_it_was_added(ports: MemoryPorts, home: Home) -> None:
    at = ports.clock.now()
    for external_id in ("lamp", "fan"):
        device = Device(id=external_id, external_id=external_id, name="X", type="light", created_at=at, updated_at=at)
        _, credential = home.keyring.issue(device.id, external_id)
        await ports.store.add(device, credential)

    await home.household.take_back("lamp", "lamp")
    await home.household.take_back("fan", None)  # memory knows of none
    await home.household.take_back("none", "none")

    assert await ports.store.find("lamp") is None
    assert await ports.store.find("fan") is not None
    assert home.household.devices() == []


async def test_a_zone_whose_removal_was_kept_can_be_removed_whatever_else_is_asked_before(
    ports: MemoryPorts, home: Home
) -> None:
    kitchen, _ = await home.zones.add("Kitchen"), await home.zones.add("Attic")
    lamp = await living(home)
    await home.household.update(lamp.id, zone_id=kitchen.id)
    await ports.store.remove_zone(kitchen.id, at=ports.clock.now())
    with pytest.raises(ZoneNameTaken):
        await home.zones.add("attic")

    await home.zones.remove(kitchen.id)

    assert home.household.device(lamp.id).zone_id is None
    assert [zone.name for zone in home.zones.all()] == ["Attic"]


async def test_an_owner_who_was_kept_is_let_in(home: Home, identities: DistantIdentities) -> None:
    identities.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.access.register(email=EMAIL, password=PASSWORD)
    with pytest.raises(RegistrationClosed):
        await home.access.register(email=EMAIL, password=PASSWORD)

    entered = await login(home)

    assert home.access.verify(entered.access_token).user.role is Role.OWNER


async def test_who_was_kept_is_let_in_a_second_later_though_nobody_changes_anything(
    ports: MemoryPorts, home: Home, identities: DistantIdentities
) -> None:
    identities.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.access.register(email=EMAIL, password=PASSWORD)
    identities.trouble = StoreUnavailable()
    await ports.clock.advance(60)
    before = home.accounts.users()
    identities.trouble = None
    await ports.clock.advance(1)

    assert before == []
    assert [user.email for user in home.accounts.users()] == [EMAIL]


@pytest.mark.usefixtures("owner")
async def test_what_the_store_contradicts_is_looked_at_again(
    ports: MemoryPorts, home: Home, identities: DistantIdentities
) -> None:
    late = User(id="late", email="b@b", name="B", role=Role.MEMBER, created_at=ports.clock.now(), password_hash="h")
    await identities.add(late)  # a commit that ended only behind the look that its lost answer had caused
    with pytest.raises(Conflict):
        await home.accounts.add(email="b@b", password=OTHER, role=Role.MEMBER)
    await ports.clock.advance(1)
    assert home.accounts.user("b@b") == late
    await identities.remove(late.id)
    with pytest.raises(NotFound):
        await home.accounts.remove(late.id)
    await ports.clock.advance(1)

    assert [user.email for user in home.accounts.users()] == [EMAIL]


async def test_a_look_at_the_store_ends_no_session_though_the_clock_has_jumped(
    ports: MemoryPorts, home: Home, identities: DistantIdentities, owner: Login
) -> None:
    ports.clock.wall += timedelta(days=40)
    await home.accounts.add(email="b@b", password=OTHER, role=Role.MEMBER)
    identities.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.accounts.disable("b@b")
    await ports.clock.advance(1)

    assert home.accounts.user("b@b").disabled
    assert not refused(home, owner.access_token)


async def test_a_user_who_was_kept_is_there(home: Home, identities: DistantIdentities, owner: Login) -> None:
    identities.unheard = 1
    told = listening(home)
    with pytest.raises(StoreUnavailable):
        await home.accounts.add(email="b@b", password=OTHER, role=Role.MEMBER)
    with pytest.raises(Conflict):
        await home.accounts.add(email="b@b", password=OTHER, role=Role.MEMBER)

    added = home.accounts.user("b@b")
    assert AccessChanged(user_id=added.id, timestamp=home.clock.now()) in told.take()
    assert not refused(home, owner.access_token)


async def test_a_user_whose_removal_was_kept_is_gone_with_all_sessions(
    home: Home, identities: DistantIdentities, owner: Login
) -> None:
    user = await home.accounts.add(email="b@b", password=OTHER, role=Role.MEMBER)
    theirs = await home.access.login(email="b@b", password=OTHER)
    identities.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.accounts.remove(user.id)
    told = listening(home)

    with pytest.raises(NotFound):
        await home.accounts.remove(user.id)

    assert refused(home, theirs.access_token)
    assert [event.user_id for event in told.take() if isinstance(event, AccessChanged)] == [user.id]


async def test_a_session_whose_end_was_kept_ends_by_the_next_change(
    home: Home, identities: DistantIdentities, owner: Login
) -> None:
    identities.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.access.log_out(home.access.verify(owner.access_token).session_id)
    told = listening(home)

    await login(home)

    assert refused(home, owner.access_token)
    assert [event.user_id for event in told.take() if isinstance(event, AccessChanged)] == [owner.user.id]


@pytest.mark.parametrize("trouble", [StoreUnavailable(), StoreFull()], ids=lambda trouble: trouble.code)
async def test_while_the_store_stays_away_nothing_is_changed_and_nobody_is_put_out(
    home: Home, identities: DistantIdentities, owner: Login, trouble: Exception
) -> None:
    identities.trouble = trouble  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(type(trouble)):
            await home.accounts.add(email="b@b", password=OTHER, role=Role.MEMBER)
    present = [user.email for user in home.accounts.users()]
    identities.trouble = None
    told = listening(home)

    await home.accounts.add(email="b@b", password=OTHER, role=Role.MEMBER)

    assert present == [EMAIL]
    assert not refused(home, owner.access_token)
    assert [event for event in told.take() if isinstance(event, AccessChanged)] == []
