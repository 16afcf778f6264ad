"""A device's credentials taken back and given anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import SYSTEM
from station_core.devices.model import Status
from station_core.errors import (
    BrokerUnavailable,
    Conflict,
    DeviceOffline,
    DeviceUnknown,
    StoreUnavailable,
    Unauthenticated,
)

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.devices.model import Device
    from station_core.home import Home


@pytest.fixture
async def revoked(home: Home) -> Device:
    """A device without a token."""
    device, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await home.household.revoke(device.id)
    return device


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


async def test_one_that_is_revoked_is_offline_until_it_speaks_again(home: Home) -> None:
    device, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    home.devices.heartbeat("lamp")
    await home.household.revoke(device.id)
    assert home.household.device(device.id).status is Status.OFFLINE
    with pytest.raises(DeviceOffline):
        await home.commands.send(device.id, {"action": "toggle"}, actor=SYSTEM)
    home.devices.heartbeat("lamp")

    assert home.household.device(device.id).status is Status.ONLINE


async def test_what_was_retained_of_one_that_is_revoked_or_removed_is_cleared(ports: MemoryPorts, home: Home) -> None:
    lamp, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    pir, _ = await home.household.add(external_id="pir", name="PIR", type_id="pir")
    home.devices.heartbeat("lamp", station_id="former")
    await home.household.revoke(lamp.id)
    await home.household.remove(pir.id)

    assert sorted(ports.link.cleared) == [("former", "lamp"), ("memory", "lamp"), ("memory", "pir")]


async def test_a_broker_that_is_away_stops_no_revocation(ports: MemoryPorts, home: Home) -> None:
    lamp, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    ports.link.trouble = BrokerUnavailable()
    await home.household.revoke(lamp.id)

    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)


async def test_one_that_has_none_is_given_one(ports: MemoryPorts, home: Home, revoked: Device) -> None:
    fresh = await home.household.renew(revoked.id)

    assert home.keyring.verify(fresh) == revoked.id
    assert ports.door.admitted == {"lamp": ports.door.digest(fresh)}


async def test_one_that_has_a_token_keeps_it(ports: MemoryPorts, home: Home) -> None:
    device, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    with pytest.raises(Conflict):
        await home.household.renew(device.id)

    assert home.keyring.verify(token) == device.id
    assert ports.door.admitted == {"lamp": ports.door.digest(token)}


async def test_a_token_that_cannot_be_kept_opens_nothing(ports: MemoryPorts, home: Home, revoked: Device) -> None:
    ports.store.trouble = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await home.household.renew(revoked.id)

    assert ports.door.admitted == {}
    ports.store.trouble = None
    assert await home.household.renew(revoked.id)


async def test_while_the_broker_is_away_nothing_is_given_but_all_is_revoked(ports: MemoryPorts, home: Home) -> None:
    device, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    ports.door.trouble = BrokerUnavailable()
    await home.household.revoke(device.id)

    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)
    with pytest.raises(BrokerUnavailable):
        await home.household.renew(device.id)
    assert not home.keyring.holds(device.id)
