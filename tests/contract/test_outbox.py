"""What every `Outbox` promises, and the stores that fill it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import Action
from station_core.cloud.channels import EVERY_CHANNEL
from station_core.cloud.letters import FRONT, state_id
from station_core.devices.ports import DeviceChange
from station_core.errors import ChangeRefused, DeviceUnknown
from tests.contract.deeds import deed, recorded
from tests.contract.mail import all_of, claimed, commands, device_of
from tests.contract.told import NOON, added, batch, device, goes, reports, tells

if TYPE_CHECKING:
    from station_core.cloud.letters import Waiting
    from tests.contract.rigs import StoreRig


async def test_of_an_unclaimed_station_nothing_waits(stores: StoreRig) -> None:
    await stores.outbox.load()
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, goes(lamp), reports(lamp, {"on": True}), tells(lamp, {})))
    await stores.devices.remove(lamp.id, at=NOON)

    assert stores.outbox.active == frozenset()
    assert await all_of(stores) == []
    assert await stores.outbox.oldest() is None


async def test_what_happens_waits_in_its_order_and_each_state_after_what_came_before_it(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    online = goes(lamp)
    on = reports(online.device, {"on": True}, after=1)
    await stores.devices.commit(batch(1, online, on, tells(on.device, {"n": 1}), commands(on.device)))
    off = reports(on.device, {"on": False}, after=2)
    await stores.devices.commit(batch(2, off, tells(off.device, {"n": 2})))
    await stores.devices.commit(batch(3, reports(off.device, {"brightness": 7}, after=3)))
    waiting = await all_of(stores)

    assert [one.letter.method for one in waiting] == [
        "device.statusChanged",
        "device.eventReceived",
        "device.commandSent",
        "device.stateTransition",
        "device.eventReceived",
        "device.eventReceived",
        "device.stateChanged",
    ]
    assert waiting[-1].letter.params == {
        "deviceId": lamp.id,
        "state": {"on": False, "brightness": 7},
        "timestamp": "2026-03-01T12:00:03.999999Z",
    }
    assert waiting[2].letter.params == {
        "deviceId": lamp.id,
        "deviceName": "Lamp",
        "command": {"action": "toggle"},
        "timestamp": "2026-03-01T12:00:00.999999Z",
    }
    assert sorted(one.place for one in waiting) == [one.place for one in waiting]
    assert {one.letter.channel for one in waiting} < EVERY_CHANNEL


async def test_a_state_stands_where_it_was_reported(stores: StoreRig) -> None:
    await claimed(stores)
    lamp, pir = await added(stores.devices, "lamp"), await added(stores.devices, "pir")
    await stores.devices.commit(
        batch(1, tells(pir, {}), reports(lamp, {"n": 1}), tells(pir, {}), reports(pir, {"n": 1}), tells(lamp, {}))
    )
    waiting = await all_of(stores)
    letters = await stores.outbox.waiting(after=FRONT, limit=500, states=False)

    assert letters == [one for one in waiting if one.device_id is None]
    assert [(one.letter.method.partition(".")[2], device_of(one)) for one in waiting] == [
        ("eventReceived", pir.id),
        ("stateChanged", lamp.id),
        ("eventReceived", pir.id),
        ("stateChanged", pir.id),
        ("eventReceived", lamp.id),
    ]


async def test_a_letter_bears_the_id_of_its_activity_each_time(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, goes(lamp), tells(lamp, {"n": 1}), reports(lamp, {"on": True})))
    first = await all_of(stores)
    await stores.reopen()
    await stores.outbox.load()
    feed = (await stores.devices.activities()).items

    assert await all_of(stores) == first
    assert {one.event_id for one in first if one.device_id is None} == {item.id for item in feed}
    [state] = [one for one in first if one.device_id is not None]
    assert state.event_id == state_id(lamp.id, {"on": True}, NOON + timedelta(seconds=1))


async def test_a_command_by_somebody_waits_beside_its_deed(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    sent = commands(lamp)
    done = deed(Action.DEVICE_COMMAND)
    await stores.devices.commit(batch(1, reports(lamp, {"n": 1}), DeviceChange(lamp, sent.events, [done])))

    assert "device.commandSent" in [one.letter.method for one in await all_of(stores)]
    assert await recorded(stores) == [done]


async def test_page_by_page_it_is_the_same(stores: StoreRig) -> None:
    await claimed(stores)
    devices = [await added(stores.devices, f"d{n}") for n in range(5)]
    changes = [tells(d, {"n": n}) if n % 2 else reports(d, {"n": n}) for n in range(6) for d in devices]
    await stores.devices.commit(batch(1, *changes))
    whole = await all_of(stores)
    for size in (1, 2, 3):
        pages: list[Waiting] = []
        while page := await stores.outbox.waiting(after=pages[-1].place if pages else FRONT, limit=size):
            pages += page

        assert pages == whole


async def test_a_batch_that_comes_again_leaves_no_second_letter(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    one = batch(1, tells(lamp, {}), reports(lamp, {"n": 1}))
    await asyncio.gather(*(stores.devices.commit(one) for _ in range(3)))
    waiting = await all_of(stores)
    await stores.outbox.delivered(waiting)
    await stores.devices.commit(one)

    assert len(waiting) == 2
    assert await all_of(stores) == []


async def test_a_refused_batch_leaves_no_letter(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    with pytest.raises(ChangeRefused):
        await stores.devices.commit(batch(1, tells(lamp, {}), reports(lamp, {"n": 1}), tells(lamp, {"x": "\0"})))

    assert await all_of(stores) == []


async def test_a_cancelled_batch_is_there_with_its_letters_or_not_at_all(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    for n in range(1, 21):
        one = batch(n, tells(lamp, {"n": n}))
        keeping = asyncio.ensure_future(stores.devices.commit(one))
        await asyncio.sleep(n * 0.0001)  # any moment will do
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await stores.devices.commit(one)
    feed = (await stores.devices.activities(limit=500)).items
    waiting = [one.event_id for one in await all_of(stores)]

    assert waiting == [item.id for item in reversed(feed)]
    assert len(waiting) == 20


async def test_a_removed_device_leaves_a_letter_and_no_state(stores: StoreRig) -> None:
    await claimed(stores)
    lamp, pir = await added(stores.devices, "lamp"), await added(stores.devices, "pir")
    await stores.devices.commit(batch(1, tells(lamp, {}), reports(lamp, {"n": 1}), reports(pir, {"n": 1})))
    await stores.devices.remove(lamp.id, at=NOON)
    await stores.devices.commit(batch(2, tells(pir, {})))
    waiting = await all_of(stores)

    assert [one.letter.method for one in waiting] == [
        "device.eventReceived",
        "device.stateChanged",
        "device.deleted",
        "device.eventReceived",
    ]
    assert device_of(waiting[1]) == pir.id
    assert waiting[2].letter.params == {"deviceId": lamp.id, "deviceName": "Lamp"}
    assert len((await stores.devices.activities()).items) == 2


async def test_a_device_that_was_not_there_leaves_no_letter(stores: StoreRig) -> None:
    await claimed(stores)
    with pytest.raises(DeviceUnknown):
        await stores.devices.remove(device().id, at=NOON)

    assert await all_of(stores) == []


async def test_devices_are_removed_while_the_journal_writes(stores: StoreRig) -> None:
    await claimed(stores)
    devices = [await added(stores.devices, f"d{n}") for n in range(12)]

    async def remove() -> None:
        for one in devices:
            await stores.devices.remove(one.id, at=NOON)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(remove())
        for n in range(1, 31):
            await stores.devices.commit(batch(n, *(tells(one, {"n": n}) for one in devices)))
    waiting = await all_of(stores)

    assert len({one.seq for one in waiting}) == len(waiting) == 30 * 12 + 12
