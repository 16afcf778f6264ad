"""A device's credentials taken back and given anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.errors import BrokerUnavailable, DeviceUnknown, StoreUnavailable, Unauthenticated

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home


async def test_a_revoked_token_opens_nothing_and_the_device_stays(ports: MemoryPorts, home: Home) -> None:
    device, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await home.household.revoke(device.id)
    await home.household.revoke(device.id)

    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)
    assert ports.door.admitted == {}
    assert home.household.devices() == [device]
    with pytest.raises(DeviceUnknown):
        await home.household.revoke("nobody")


async def test_a_renewed_token_takes_the_place_of_the_former_one(ports: MemoryPorts, home: Home) -> None:
    device, former = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    fresh = await home.household.renew(device.id)

    assert home.keyring.verify(fresh) == device.id
    with pytest.raises(Unauthenticated):
        home.keyring.verify(former)
    assert ports.door.admitted == {"lamp": ports.door.digest(fresh)}


async def test_a_token_that_cannot_be_kept_leaves_the_former_one_in_force_everywhere(
    ports: MemoryPorts, home: Home
) -> None:
    device, former = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    ports.store.trouble = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await home.household.renew(device.id)

    assert home.keyring.verify(former) == device.id
    assert ports.door.admitted == {"lamp": ports.door.digest(former)}


async def test_while_the_broker_is_away_nothing_is_renewed_but_all_is_revoked(ports: MemoryPorts, home: Home) -> None:
    device, former = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    ports.door.trouble = BrokerUnavailable()
    with pytest.raises(BrokerUnavailable):
        await home.household.renew(device.id)
    assert home.keyring.verify(former) == device.id

    await home.household.revoke(device.id)
    with pytest.raises(Unauthenticated):
        home.keyring.verify(former)
    with pytest.raises(BrokerUnavailable):
        await home.household.renew(device.id)
    with pytest.raises(Unauthenticated):
        home.keyring.verify(former)
