"""What every `DeviceStore` promises of devices, types and the feed; of the journal's batches in test_commit.py."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.devices.activity import ActivityFilter
from station_core.devices.model import Status
from station_core.devices.types import TYPES
from station_core.errors import DeviceUnknown, ExternalIdTaken, Malformed, NotFound, StoreFull, StoreUnavailable
from tests.contract.told import NOON, added, batch, credential, device, goes, kept, reports, tells

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_core.devices.model import Device
    from tests.contract.rigs import StoreRig

NOBODY = str(uuid.UUID(int=7))


async def test_a_new_store_holds_nothing(stores: StoreRig) -> None:
    loaded = await stores.devices.load()

    assert (loaded.devices, loaded.credentials, loaded.last_batch, loaded.deliveries) == ([], [], 0, {})


async def test_a_device_is_kept_whole_over_a_restart(stores: StoreRig) -> None:
    lamp = device(
        zone_id=await stores.add_zone(),
        state={"on": True, "note": "é🦀"},
        firmware_version="1.2.3",
        chip="ESP32",
        kit_tag="kit-1",
        last_heartbeat_at=NOON + timedelta(microseconds=1),
        station_id="the-old-one",
        session=2**63 - 1,
        acks=True,
    )
    await stores.devices.add(lamp, credential(lamp))
    await stores.reopen()
    loaded = await stores.devices.load()

    assert loaded.devices == [lamp]
    assert loaded.credentials == [credential(lamp)]


async def test_a_device_is_found_by_its_external_id_with_its_credential(stores: StoreRig) -> None:
    lamp = await added(stores.devices, "lamp")
    await added(stores.devices, "Lamp")
    found = await stores.devices.find("lamp")

    assert found == (lamp, credential(lamp))


async def test_nothing_is_found_under_an_id_that_no_device_bears(stores: StoreRig) -> None:
    await added(stores.devices)

    assert [await stores.devices.find(id_) for id_ in ("pir", "", "%", "x\0", "\ud800", "lamp ")] == [None] * 6


async def test_an_external_id_is_one_devices(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    other = device()
    with pytest.raises(ExternalIdTaken):
        await stores.devices.add(other, credential(other))

    assert (await stores.devices.load()).devices == [lamp]


async def test_of_several_that_want_an_external_id_at_once_one_gets_it(stores: StoreRig) -> None:
    rivals = [device() for _ in range(8)]
    ends = await asyncio.gather(
        *(stores.devices.add(rival, credential(rival)) for rival in rivals), return_exceptions=True
    )
    [winner] = (await stores.devices.load()).devices

    assert ends[rivals.index(winner)] is None
    assert sum(isinstance(end, ExternalIdTaken) for end in ends) == 7


async def test_a_device_cant_be_in_a_zone_that_isnt_there(stores: StoreRig) -> None:
    for zone_id in (NOBODY, "no zone's id"):
        lamp = device(zone_id=zone_id)
        with pytest.raises(NotFound):
            await stores.devices.add(lamp, credential(lamp))

    assert await stores.devices.find("lamp") is None


async def test_renaming_keeps_name_zone_and_time_and_nothing_of_what_was_reported(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, goes(lamp), reports(goes(lamp).device, {"on": True})))
    zone = await stores.add_zone()
    at = NOON + timedelta(hours=1)
    await stores.devices.rename(lamp.renamed("Reading lamp", zone, at=at))
    present = await kept(stores.devices)

    assert (present.name, present.zone_id, present.updated_at) == ("Reading lamp", zone, at)
    assert (present.state, present.status) == ({"on": True}, Status.ONLINE)


async def test_a_device_that_isnt_there_cant_be_renamed_nor_moved_to_a_zone_that_isnt(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    with pytest.raises(DeviceUnknown):
        await stores.devices.rename(device("pir"))
    with pytest.raises(NotFound):
        await stores.devices.rename(lamp.renamed("Moved", NOBODY, at=NOON))

    assert await kept(stores.devices) == lamp


async def test_a_removed_device_is_forgotten_and_its_activities_stay(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, goes(lamp)))
    await stores.devices.remove(lamp.id, at=NOON)
    loaded = await stores.devices.load()
    page = await stores.devices.activities(ActivityFilter(device_id=lamp.id))

    assert (loaded.devices, loaded.credentials) == ([], [])
    assert [(item.device_id, item.device_name) for item in page.items] == [(lamp.id, "Lamp")]


async def test_a_device_that_isnt_there_cant_be_removed(stores: StoreRig) -> None:
    for device_id in (NOBODY, "none of ours", "x\0"):
        with pytest.raises(DeviceUnknown):
            await stores.devices.remove(device_id, at=NOON)


async def test_a_removed_devices_external_id_is_free_again(stores: StoreRig) -> None:
    first = await added(stores.devices)
    await stores.devices.remove(first.id, at=NOON)
    second = await added(stores.devices)

    assert await kept(stores.devices) == second


async def test_loading_makes_all_offline_which_is_no_activity(stores: StoreRig) -> None:
    lamp = await added(stores.devices, "lamp", status=Status.ONLINE)
    pir = await added(stores.devices, "pir")
    loaded = await stores.devices.load()
    found = await kept(stores.devices)

    assert sorted(loaded.devices, key=lambda d: d.external_id) == [replace(lamp, status=Status.OFFLINE), pir]
    assert found.status is Status.OFFLINE
    assert (await stores.devices.activities()).items == []


async def test_exactly_the_device_types_that_were_given_last_are_kept(stores: StoreRig) -> None:
    await stores.devices.replace_types(TYPES)
    await stores.devices.replace_types(TYPES[1:])
    first = await stores.type_ids()
    await stores.devices.replace_types([])

    assert first == ["light", "pir", "switch-pir"]
    assert await stores.type_ids() == []


async def test_the_feed_is_newest_first_whatever_the_clock_said(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    early = replace(tells(lamp, {"n": 2}).events[0], timestamp=NOON - timedelta(days=1))
    await stores.devices.commit(batch(1, tells(lamp, {"n": 1}), replace(tells(lamp, {}), events=[early])))
    await stores.devices.commit(batch(2, tells(lamp, {"n": 3})))
    items = (await stores.devices.activities()).items

    assert [item.payload["data"] for item in items] == [{"action": "press", "n": n} for n in (3, 2, 1)]
    assert [item.created_at for item in items] == [NOON, NOON - timedelta(days=1), NOON]
    assert len({item.id for item in items}) == 3


async def test_the_feed_is_read_page_by_page_while_it_grows(stores: StoreRig) -> None:
    lamp, pir = await added(stores.devices, "lamp"), await added(stores.devices, "pir")
    for number in range(1, 6):
        await stores.devices.commit(batch(number, tells(lamp, {"n": number}), tells(pir, {})))
    read: list[object] = []
    cursor, number = None, 6
    while True:
        page = await stores.devices.activities(ActivityFilter(device_id=lamp.id), limit=2, cursor=cursor)
        read += [item.payload["data"] for item in page.items]
        await stores.devices.commit(batch(number, tells(lamp, {"n": number})))
        cursor, number = page.next_cursor, number + 1
        if cursor is None:
            break

    assert read == [{"action": "press", "n": n} for n in (5, 4, 3, 2, 1)]


async def test_the_last_page_has_no_next_one(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, *(tells(lamp, {"n": n}) for n in range(4))))
    first = await stores.devices.activities(limit=2)
    second = await stores.devices.activities(limit=2, cursor=first.next_cursor)
    stranger = await stores.devices.activities(ActivityFilter(device_id="none of ours"))

    assert first.next_cursor is not None
    assert (len(second.items), second.next_cursor) == (2, None)
    assert (stranger.items, stranger.next_cursor) == ([], None)


async def test_a_cursor_that_is_none_of_ours_is_malformed(stores: StoreRig) -> None:
    for cursor in ("", "x", "-1", "1.5", "٣", "9" * 19, "1 OR 1=1"):
        with pytest.raises(Malformed):
            await stores.devices.activities(cursor=cursor)


async def test_without_the_database_nothing_is_kept_and_with_it_again_everything(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    pir = device("pir")
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: stores.devices.add(pir, credential(pir)),
        lambda: stores.devices.rename(lamp.renamed("Other", None, at=NOON)),
        lambda: stores.devices.commit(batch(1, goes(lamp))),
        lambda: stores.devices.replace_types(TYPES),
        lambda: stores.devices.remove(lamp.id, at=NOON),
        stores.devices.load,
    ]
    await stores.cut()
    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    await stores.mend()
    untouched = await kept(stores.devices), await stores.devices.find("pir"), await stores.type_ids()
    for attempt in attempts:
        await attempt()

    assert untouched == (lamp, None, [])
    assert [d.external_id for d in (await stores.devices.load()).devices] == ["pir"]


async def test_a_full_disk_is_told_apart_and_leaves_what_there_is(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    large = reports(lamp, {"text": "x" * 4_000, "more": ["y" * 4_000] * 10})
    await stores.fill()
    with pytest.raises(StoreFull):
        await stores.devices.commit(batch(1, large))
    await stores.make_room()
    before = await kept(stores.devices)
    await stores.devices.commit(batch(1, large))

    assert before == lamp
    assert (await kept(stores.devices)).state == large.device.state


async def test_a_cancelled_change_is_kept_or_isnt_and_its_caller_knows_which(stores: StoreRig) -> None:
    async def add_and_wait(new: Device, told: list[Device]) -> None:
        await stores.devices.add(new, credential(new))
        told.append(new)
        await asyncio.get_running_loop().create_future()

    told: list[Device] = []
    for n in range(40):
        adding = asyncio.ensure_future(add_and_wait(device(f"lamp-{n}"), told))
        await asyncio.sleep(n * 0.0002)  # any moment will do
        adding.cancel()
        ended, _ = await asyncio.wait([adding], timeout=5)
        assert ended, "A cancellation was lost."
    held = (await stores.devices.load()).devices

    assert sorted(d.external_id for d in held) == sorted(d.external_id for d in told)
