"""The store kept what was changed, and its answer was lost: by the next change memory is as the store is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import SYSTEM
from station_core.devices.events import DeviceAdded, DeviceDeleted
from station_core.devices.model import Device
from station_core.errors import (
    Conflict,
    DeviceOffline,
    ExternalIdTaken,
    NotFound,
    RegistrationClosed,
    StoreFull,
    StoreUnavailable,
    Unauthenticated,
)
from station_core.identity.events import AccessChanged
from station_core.identity.model import Role
from tests.unit.core.living import listening
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, login, refused

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from station_core.identity.model import Login
    from tests.unit.core.people import DistantIdentities


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


async def test_an_owner_who_was_kept_is_let_in(home: Home, identities: DistantIdentities) -> None:
    identities.unheard = 1
    with pytest.raises(StoreUnavailable):
        await home.access.register(email=EMAIL, password=PASSWORD)
    with pytest.raises(RegistrationClosed):
        await home.access.register(email=EMAIL, password=PASSWORD)

    entered = await login(home)

    assert home.access.verify(entered.access_token).user.role is Role.OWNER


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
