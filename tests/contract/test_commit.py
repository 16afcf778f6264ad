"""What every `DeviceStore` promises of the journal's batches."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.devices.events import DeviceCommandSent
from station_core.devices.model import Introduction, Status
from station_core.devices.ports import DeviceChange
from station_core.errors import ChangeRefused, StoreUnavailable
from tests.contract.deeds import deed
from tests.contract.told import NOON, added, batch, device, goes, kept, reports, tells

if TYPE_CHECKING:
    from station_core.devices.ports import DeviceStore
    from station_core.values import Value
    from tests.contract.rigs import StoreRig


async def actions(store: DeviceStore) -> list[object]:
    """What was told, oldest first."""
    items = (await store.activities(limit=500)).items
    return [item.payload["data"] for item in reversed(items) if item.event_type == "event_received"]


def nested(depth: int) -> Value:
    value: Value = "bottom"
    for _ in range(depth - 1):
        value = [value]
    return value


async def test_the_last_of_a_devices_reports_is_kept_and_an_activity_of_each_event(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    online = goes(lamp)
    on = reports(online.device, {"on": True, "brightness": 40})
    off = reports(on.device, {"on": False}, after=2)
    await stores.devices.commit(batch(1, online, on, off))
    await stores.reopen()
    present = await kept(stores.devices)
    feed = (await stores.devices.activities()).items

    assert present == off.device
    assert [(item.event_type, item.payload) for item in reversed(feed)] == [
        ("status_changed", {"status": "online"}),
        ("state_transition", {"capabilityKey": "on", "oldValue": True, "newValue": False}),
        ("event_received", {"event": "device_event", "data": {"action": "turned_off"}}),
    ]
    assert {(item.device_id, item.device_name, item.device_type) for item in feed} == {(lamp.id, "Lamp", "light")}


async def test_all_that_a_device_reports_of_itself_is_kept(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    portrait = Introduction(type="pir", firmware_version="2.0", chip="ESP32-S3", kit_tag="kit", session=4, acks=True)
    after, events = lamp.introduced(portrait, at=NOON + timedelta(seconds=3))
    after = after.answering_to("another-station")
    await stores.devices.commit(batch(1, DeviceChange(after, events)))

    assert await kept(stores.devices) == after


async def test_a_command_is_an_activity(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    sent = DeviceCommandSent(
        device_id=lamp.id,
        device_name="Lamp",
        device_type="light",
        command={"action": "toggle"},
        command_id="c",
        actor="user",
        timestamp=NOON,
    )
    await stores.devices.commit(batch(1, DeviceChange(lamp, [sent])))
    [item] = (await stores.devices.activities()).items

    assert (item.event_type, item.created_at) == ("command_sent", NOON)
    assert item.payload == {"command": {"action": "toggle"}, "commandId": "c", "actor": "user"}


async def test_a_report_never_overwrites_name_and_zone(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    zone = await stores.add_zone()
    await stores.devices.rename(lamp.renamed("Reading lamp", zone, at=NOON))
    await stores.devices.commit(batch(1, reports(lamp, {"on": True})))
    present = await kept(stores.devices)

    assert (present.name, present.zone_id, present.state) == ("Reading lamp", zone, {"on": True})


async def test_a_report_of_a_device_that_was_removed_leaves_its_activity_alone(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    await stores.devices.remove(lamp.id, at=NOON)
    again = await added(stores.devices)
    await stores.devices.commit(batch(1, tells(lamp, {"n": 1}), reports(lamp, {"on": True})))

    assert (await stores.devices.load()).devices == [again]
    assert await actions(stores.devices) == [{"action": "press", "n": 1}]


async def test_values_at_their_bounds_come_back_exactly(stores: StoreRig) -> None:
    state: dict[str, Value] = {
        "most": 2**63 - 1,
        "least": -(2**63) + 1,
        "large": 1e308,
        "small": 5e-324,
        "minus zero": -0.0,
        "whole": 1.0,
        "exact": 0.1 + 0.2,
        "many digits": 123456789012345678,
        "nothing": None,
        "": [True, False, [], {}, ""],
        "deep": nested(31),
        "text": "é\u2028\\u0000\x01\x7f🦀\"'\ufffd" + "x" * 4_000,
        "keys": {f"{n}": n for n in range(128)},
    }
    lamp = await added(stores.devices)
    reported = reports(lamp, state)
    await stores.devices.commit(batch(1, reported, tells(reported.device, {"told": state})))
    await stores.reopen()
    present = await kept(stores.devices)
    [item] = (await stores.devices.activities()).items

    assert repr(present.state) == repr(state)
    assert repr(item.payload["data"]) == repr({"action": "press", "told": state})


@pytest.mark.parametrize(
    "poison",
    [math.nan, math.inf, "a\0b", "\ud800", {"\0": 1}, {"\udfff": 1}, [[-math.inf]], object()],
    ids=["nan", "inf", "nul", "surrogate", "nul in key", "surrogate in key", "nested", "none of JSON"],
)
async def test_a_refused_change_leaves_nothing_of_its_batch(stores: StoreRig, poison: Value) -> None:
    lamp, pir = await added(stores.devices, "lamp"), await added(stores.devices, "pir")
    for bad in (reports(lamp, {"value": poison}), tells(lamp, {"value": poison})):
        with pytest.raises(ChangeRefused):
            await stores.devices.commit(batch(1, goes(pir), bad, tells(pir, {}), deliveries=[(1, 2)]))
    loaded = await stores.devices.load()
    feed = (await stores.devices.activities()).items
    await stores.devices.commit(batch(1, tells(pir, {"n": 1})))

    assert sorted(loaded.devices, key=lambda d: d.external_id) == [lamp, pir]
    assert (loaded.last_batch, loaded.deliveries, feed) == (0, {}, [])
    assert await actions(stores.devices) == [{"action": "press", "n": 1}]


async def test_a_batch_that_comes_again_changes_nothing(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(7, tells(lamp, {"n": 7}), deliveries=[(1, 10)]))
    await stores.devices.commit(batch(7, tells(lamp, {"n": 8}), deliveries=[(2, 20)]))
    await stores.devices.commit(batch(6, reports(lamp, {"on": True}), deliveries=[(3, 30)]))
    loaded = await stores.devices.load()

    assert (loaded.last_batch, loaded.deliveries, loaded.devices) == (7, {7: [(1, 10)]}, [lamp])
    assert await actions(stores.devices) == [{"action": "press", "n": 7}]


async def test_a_batch_that_comes_twice_at_once_is_kept_once(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    same = batch(1, tells(lamp, {"n": 1}), deliveries=[(1, 10)])
    await asyncio.gather(*(stores.devices.commit(same) for _ in range(5)))

    assert (await stores.devices.load()).deliveries == {1: [(1, 10)]}
    assert await actions(stores.devices) == [{"action": "press", "n": 1}]


async def test_deliveries_are_kept_in_order_until_they_are_of_no_use(stores: StoreRig) -> None:
    most = (65_535, 2**32 - 1)
    await stores.devices.commit(batch(2, deliveries=[(3, 30), most, (1, 10)]))
    await stores.devices.commit(batch(3))
    await stores.devices.commit(batch(10, deliveries=[(3, 31), (3, 30)]))
    await stores.reopen()
    all_of_them = await stores.devices.load()
    await stores.devices.commit(batch(11, deliveries=[(4, 40)], oldest=10))
    rest = await stores.devices.load()

    assert list(all_of_them.deliveries.items()) == [(2, [(3, 30), most, (1, 10)]), (10, [(3, 31), (3, 30)])]
    assert all_of_them.last_batch == 10
    assert rest.deliveries == {10: [(3, 31), (3, 30)], 11: [(4, 40)]}


async def test_a_wholly_empty_batch_is_kept_for_what_it_forgets_alone(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, tells(lamp, {"n": 1}), deliveries=[(1, 10), (2, 20)]))
    await stores.devices.commit(batch(2, deliveries=[(3, 30)]))
    for _ in range(2):
        await stores.devices.commit(batch(3, oldest=2))
    await stores.reopen()
    some = await stores.devices.load()
    await stores.devices.commit(batch(4, oldest=4))
    await stores.reopen()
    none = await stores.devices.load()
    await stores.devices.commit(batch(5, deliveries=[(1, 10)]))
    anew = await stores.devices.load()

    assert (some.last_batch, some.deliveries) == (3, {2: [(3, 30)]})
    assert (none.last_batch, none.deliveries) == (4, {})
    assert (anew.last_batch, anew.deliveries) == (5, {5: [(1, 10)]})
    assert anew.devices == [lamp]
    assert await actions(stores.devices) == [{"action": "press", "n": 1}]


async def test_a_large_batch_is_kept_whole_and_in_order(stores: StoreRig) -> None:
    devices = [await added(stores.devices, f"lamp-{n}") for n in range(20)]
    changes = [tells(devices[n % 20], {"n": n}) for n in range(2_000)]
    await stores.devices.commit(batch(1, *changes, deliveries=[(n + 1, n) for n in range(2_000)]))
    loaded = await stores.devices.load()
    told = await actions(stores.devices)

    assert loaded.deliveries == {1: [(n + 1, n) for n in range(2_000)]}
    assert told == [{"action": "press", "n": n} for n in range(1_500, 2_000)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
async def test_every_device_of_a_batch_is_kept_as_it_reported_and_every_deed_in_order(
    stores: StoreRig, count: int
) -> None:
    devices = [await added(stores.devices, f"lamp-{n}") for n in range(count)]
    changes = [
        replace(reports(one, {"on": n % 2 == 0, "n": n}), deeds=(deed(detail={"n": n}),))
        for n, one in enumerate(devices)
    ]
    await stores.devices.commit(batch(1, *changes))
    found = [await kept(stores.devices, one.external_id) for one in devices]
    records = (await stores.audit.records()).items

    assert found == [change.device for change in changes]
    assert [record.deed.detail["n"] for record in reversed(records)] == list(range(count))


async def test_a_cancelled_batch_is_kept_whole_or_not_at_all_and_can_come_again(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    for n in range(1, 31):
        one = batch(n, tells(lamp, {"n": n}), reports(lamp, {"n": n}), deliveries=[(n, n)])
        keeping = asyncio.ensure_future(stores.devices.commit(one))
        await asyncio.sleep(n * 0.0001)  # any moment will do
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await stores.devices.commit(one)
    loaded = await stores.devices.load()

    assert await actions(stores.devices) == [{"action": "press", "n": n} for n in range(1, 31)]
    assert (loaded.last_batch, loaded.deliveries) == (30, {n: [(n, n)] for n in range(1, 31)})
    assert loaded.devices[0].state == {"n": 30}


async def test_a_batch_whose_answer_may_be_lost_is_kept_once(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    for n in range(1, 6):
        one = batch(n, tells(lamp, {"n": n}))
        keeping = asyncio.ensure_future(stores.devices.commit(one))
        await asyncio.sleep(0)
        await stores.cut()
        with contextlib.suppress(StoreUnavailable):
            await keeping
        with pytest.raises(StoreUnavailable):
            await stores.devices.commit(batch(n + 1, tells(lamp, {"never": n})))
        await stores.mend()
        await stores.devices.commit(one)

    assert await actions(stores.devices) == [{"action": "press", "n": n} for n in range(1, 6)]


async def test_other_changes_go_on_beside_the_journal(stores: StoreRig) -> None:
    lamp = await added(stores.devices)

    async def rename() -> None:
        for n in range(20):
            await stores.devices.rename(lamp.renamed(f"Lamp {n}", None, at=NOON))

    async def read() -> None:
        for _ in range(20):
            await stores.devices.activities()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(rename())
        group.create_task(read())
        for n in range(1, 41):
            await stores.devices.commit(batch(n, reports(lamp, {"n": n})))
    present = await kept(stores.devices)

    assert (present.name, present.state) == ("Lamp 19", {"n": 40})


async def test_what_a_change_says_of_a_device_that_never_was_stays_away(stores: StoreRig) -> None:
    ghost = replace(device("ghost"), status=Status.ONLINE)
    await stores.devices.commit(batch(1, reports(ghost, {"on": True})))

    assert await stores.devices.find("ghost") is None
