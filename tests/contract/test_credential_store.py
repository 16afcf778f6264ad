"""What every `DeviceStore` promises of devices' tokens: the present one, and the next beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from station_core.devices.credentials import Successor
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
