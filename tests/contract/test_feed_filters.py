"""What every `DeviceStore` promises of the feed's filters, and of what is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.clock import OUTLIVED, RELEASED
from station_core.devices.activity import EVERYTHING, ActivityFilter
from station_core.errors import StoreUnavailable
from tests.contract.told import NOON, added, batch, goes, reports, tells

if TYPE_CHECKING:
    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceChange
    from tests.contract.rigs import StoreRig


def at(by: Device, when: datetime, n: int) -> DeviceChange:
    change = tells(by, {"n": n})
    return replace(change, events=[replace(change.events[0], timestamp=when)])


async def shown(stores: StoreRig, wanted: ActivityFilter = EVERYTHING) -> list[object]:
    items = (await stores.devices.activities(wanted, limit=500)).items
    return [item.payload["data"]["n"] for item in items]  # type: ignore[index,call-overload]  # as told below


async def test_activities_are_found_by_kind_device_and_zone(stores: StoreRig) -> None:
    hall = await stores.add_zone()
    lamp, pir = await added(stores.devices, "lamp", zone_id=hall), await added(stores.devices, "pir")
    off = replace(lamp, state={"on": False})
    await stores.devices.commit(batch(1, goes(lamp), reports(off, {"on": True}), tells(lamp, {}), goes(pir)))

    async def kinds(wanted: ActivityFilter) -> list[str]:
        return [item.event_type for item in (await stores.devices.activities(wanted)).items]

    some = frozenset({"status_changed", "state_transition"})
    assert await kinds(ActivityFilter(event_types=some)) == ["status_changed", "state_transition", "status_changed"]
    assert await kinds(ActivityFilter(event_types=some, device_id=pir.id)) == ["status_changed"]
    assert (await kinds(ActivityFilter(zone_id=hall)))[0] == "event_received"
    assert await kinds(ActivityFilter(zone_id=hall, device_id=pir.id)) == []
    assert await kinds(ActivityFilter(zone_id="none of ours")) == []


async def test_activities_are_found_by_time_from_one_on_and_before_another(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    hours = [NOON + timedelta(hours=n) for n in range(5)]
    await stores.devices.commit(batch(1, *(at(lamp, hour, n) for n, hour in enumerate(hours))))

    assert await shown(stores, ActivityFilter(since=hours[1], until=hours[3])) == [2, 1]
    assert await shown(stores, ActivityFilter(since=hours[4])) == [4]
    assert await shown(stores, ActivityFilter(until=hours[0])) == []


async def test_filtered_pages_neither_shift_nor_repeat_while_the_feed_grows(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    wanted = ActivityFilter(event_types=frozenset({"event_received"}), since=NOON)
    await stores.devices.commit(batch(1, *(at(lamp, NOON, n) for n in range(5)), goes(lamp)))
    read: list[object] = []
    cursor, number = None, 2
    while True:
        page = await stores.devices.activities(wanted, limit=2, cursor=cursor)
        read += [item.payload["data"]["n"] for item in page.items]  # type: ignore[index,call-overload]  # as told
        await stores.devices.commit(batch(number, at(lamp, NOON, 100 + number)))
        cursor, number = page.next_cursor, number + 1
        if cursor is None:
            break

    assert read == [4, 3, 2, 1, 0]


async def test_the_oldest_are_forgotten_first_so_many_at_a_time(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    days = [NOON + timedelta(days=n) for n in (3, 0, 2, 1, 9)]
    await stores.devices.commit(batch(1, *(at(lamp, day, n) for n, day in enumerate(days))))
    before = NOON + timedelta(days=3)
    counts = [await stores.devices.forget_activities(before=before, limit=2) for _ in range(3)]

    assert counts == [2, 1, 0]
    assert await shown(stores) == [4, 0]


@pytest.mark.parametrize("wrong", [datetime(1970, 1, 1, tzinfo=UTC), OUTLIVED], ids=["behind", "ahead"])
async def test_what_a_wrong_clock_dated_goes_with_what_came_after_it(stores: StoreRig, wrong: datetime) -> None:
    lamp = await added(stores.devices)
    old, fresh = RELEASED, NOON
    told = [at(lamp, when, n) for n, when in enumerate((wrong, old, wrong, fresh, wrong))]
    await stores.devices.commit(batch(1, *told))
    untouched = await stores.devices.forget_activities(before=RELEASED, limit=10)
    gone = await stores.devices.forget_activities(before=NOON, limit=10)

    assert (untouched, gone) == (0, 2)
    assert await shown(stores) == [4, 3, 2]


async def test_without_the_database_nothing_is_forgotten(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, at(lamp, NOON, 1)))
    await stores.cut()
    with pytest.raises(StoreUnavailable):
        await stores.devices.forget_activities(before=NOON + timedelta(days=1), limit=10)
    await stores.mend()

    assert await shown(stores) == [1]
