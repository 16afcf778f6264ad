"""What every `DeviceStore` promises of devices' tokens: the present one, and the next beside it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from station_core.devices.credentials import Successor
from station_core.devices.model import Status
from station_core.devices.zones import Zone
from station_core.errors import DeviceUnknown, StoreUnavailable
from tests.contract.told import NOON, added, batch, credential, device, goes

if TYPE_CHECKING:
    from tests.contract.rigs import StoreRig


async def test_what_a_device_is_to_have_next_is_kept_beside_what_it_has(stores: StoreRig) -> None:
    lamp = await added(stores.devices, "lamp")
    following = Successor(credential=credential(lamp, digest="the next digest"))
    await stores.devices.set_successor(lamp.id, following)
    await stores.devices.commit(batch(1, goes(lamp)))
    await stores.reopen()
    beside = await stores.devices.load()
    written = replace(following, written=True)
    await stores.devices.set_successor(lamp.id, written)
    later = await stores.devices.load()
    await stores.devices.set_credential(lamp.id, written.credential)
    proven = await stores.devices.load()

    assert (beside.credentials, beside.successors) == ([credential(lamp)], [following])
    assert (later.credentials, later.successors) == ([credential(lamp)], [written])
    assert (proven.credentials, proven.successors) == ([written.credential], [])


async def test_what_it_was_to_have_next_is_gone_with_its_credentials_and_with_itself(stores: StoreRig) -> None:
    lamp, pir = await added(stores.devices, "lamp"), await added(stores.devices, "pir")
    for one in (lamp, pir):
        await stores.devices.set_successor(one.id, Successor(credential=credential(one, digest=f"next of {one.id}")))
    await stores.devices.set_credential(lamp.id, None)
    await stores.devices.remove(pir.id, at=NOON)

    assert (await stores.devices.load()).successors == []
    for nobody in (pir, device(id="none of ours")):
        with pytest.raises(DeviceUnknown):
            await stores.devices.set_successor(nobody.id, None)


async def test_without_the_database_what_it_is_to_have_next_stays_as_it_was(stores: StoreRig) -> None:
    lamp = await added(stores.devices, "lamp")
    following = Successor(credential=credential(lamp, digest="the next digest"))
    await stores.devices.set_successor(lamp.id, following)
    await stores.cut()
    with pytest.raises(StoreUnavailable):
        await stores.devices.set_successor(lamp.id, None)
    await stores.mend()

    assert (await stores.devices.load()).successors == [following]


async def test_a_credential_is_taken_away_and_given_anew(stores: StoreRig) -> None:
    lamp, pir = await added(stores.devices, "lamp"), await added(stores.devices, "pir")
    await stores.devices.set_credential(lamp.id, None)
    without = (await stores.devices.load()).credentials
    other = credential(lamp, digest="another digest")
    await stores.devices.set_credential(lamp.id, other)
    await stores.reopen()

    assert without == [credential(pir)]
    assert await stores.devices.find("lamp") == (lamp, other)
    for nobody in (device(), device(id="none of ours")):
        with pytest.raises(DeviceUnknown):
            await stores.devices.set_credential(nobody.id, None)


async def test_what_stands_is_told_and_nothing_is_changed_by_that(stores: StoreRig) -> None:
    lamp, pir, fan = [await added(stores.devices, name) for name in ("lamp", "pir", "fan")]
    attic = Zone(id=str(uuid.uuid4()), name="Attic")
    await stores.devices.add_zone(attic)
    await stores.devices.commit(batch(1, goes(lamp)))
    await stores.devices.set_credential(pir.id, None)
    await stores.devices.set_credential(fan.id, None)
    await stores.devices.set_successor(fan.id, Successor(credential=credential(fan, digest="the next digest")))
    standing, again = await stores.devices.standing(), await stores.devices.standing()
    await stores.devices.commit(batch(2, goes(lamp)))  # its epoch is as it was

    assert {device.id: device.status for device in standing.devices} == {
        lamp.id: Status.ONLINE,
        pir.id: Status.OFFLINE,
        fan.id: Status.OFFLINE,
    }
    assert set(standing.entitled) == {lamp.id, fan.id}
    assert list(standing.zones) == [attic]
    assert set(again.entitled) == set(standing.entitled)


async def test_without_the_database_nobody_knows_what_stands(stores: StoreRig) -> None:
    await stores.cut()

    with pytest.raises(StoreUnavailable):
        await stores.devices.standing()
