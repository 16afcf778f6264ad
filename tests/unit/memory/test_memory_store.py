from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.chronicle import BOUND
from station_adapters.memory.clock import NEW_YEAR, MemoryRandomness
from station_adapters.memory.devices import MemoryDeviceStore
from station_core.devices.credentials import Credential
from station_core.devices.model import Device, Status
from station_core.devices.ports import DeviceChange
from station_core.errors import ChangeRefused, Malformed
from station_core.journal import Batch

if TYPE_CHECKING:
    from station_core.values import Value

LAMP = Device(
    id="1",
    external_id="lamp",
    name="Lamp",
    type="light",
    created_at=NEW_YEAR,
    updated_at=NEW_YEAR,
    status=Status.ONLINE,
)
CREDENTIAL = Credential(device_id="1", external_id="lamp", digest="d", broker_digest="b")


@pytest.fixture
async def store() -> MemoryDeviceStore:
    store = MemoryDeviceStore(MemoryRandomness())
    await store.add(LAMP, CREDENTIAL)
    return store


def told(**data: Value) -> DeviceChange:
    return DeviceChange(LAMP, [LAMP.told("user_event", data, at=NEW_YEAR)])


def batch(number: int, *changes: DeviceChange) -> Batch[DeviceChange]:
    made: Batch[DeviceChange] = Batch()
    made.number = made.oldest = number
    made.changes = list(changes)
    return made


async def pages(store: MemoryDeviceStore, limit: int) -> list[list[Value]]:
    found, cursor = [], None
    while True:
        page = await store.activities(limit=limit, cursor=cursor)
        found.append([item.payload["data"]["n"] for item in page.items])  # type: ignore[index,call-overload]  # as told
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_the_feed_is_read_page_by_page(store: MemoryDeviceStore) -> None:
    await store.commit(batch(1, *(told(n=n) for n in range(5))))

    assert await pages(store, 2) == [[4, 3], [2, 1], [0]]
    assert await pages(store, 5) == [[4, 3, 2, 1, 0]]


async def test_what_comes_between_two_pages_shifts_nothing(store: MemoryDeviceStore) -> None:
    await store.commit(batch(1, *(told(n=n) for n in range(4))))
    first = await store.activities(limit=2)

    await store.commit(batch(2, told(n=4)))
    second = await store.activities(limit=2, cursor=first.next_cursor)

    assert [item.payload["data"] for item in second.items] == [{"n": 1}, {"n": 0}]


async def test_the_feed_remembers_only_so_much(store: MemoryDeviceStore) -> None:
    await store.commit(batch(1, *(told(n=n) for n in range(BOUND))))
    oldest = await store.activities(limit=BOUND - 1)

    await store.commit(batch(2, told(n=-1), told(n=-2)))
    page = await store.activities(limit=BOUND + 1)
    gone = await store.activities(cursor=oldest.next_cursor)

    assert len(page.items) == BOUND
    assert page.items[-1].payload["data"] == {"n": 2}
    assert gone.items == []


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1.5", "٣", "9" * 19])
async def test_a_cursor_that_is_none_of_ours_is_malformed(store: MemoryDeviceStore, cursor: str) -> None:
    with pytest.raises(Malformed):
        await store.activities(cursor=cursor)


@pytest.mark.parametrize(
    "value", ["a\0", "\\\0", {"a\0": 1}, math.nan, "\ud800", pytest.param(object(), id="object")], ids=ascii
)
async def test_what_no_database_can_keep_is_refused_and_nothing_of_its_batch_kept(
    store: MemoryDeviceStore, value: Value
) -> None:
    with pytest.raises(ChangeRefused):
        await store.commit(batch(1, told(n=1), told(n=value)))

    assert (await store.activities()).items == []


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", '"', "ä"])
async def test_what_only_looks_so_is_kept(store: MemoryDeviceStore, value: Value) -> None:
    await store.commit(batch(1, told(n=value)))

    assert (await store.activities()).items[0].payload["data"] == {"n": value}


async def test_a_batch_that_is_on_record_changes_nothing(store: MemoryDeviceStore) -> None:
    await store.commit(batch(1, told(n=1)))
    await store.commit(batch(1, told(n=1)))

    assert len((await store.activities()).items) == 1


async def test_after_loading_all_are_offline(store: MemoryDeviceStore) -> None:
    loaded = await store.load()

    assert [device.status for device in loaded.devices] == [Status.OFFLINE]
