"""What every `AuditStore` promises."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import (
    INSTALLER,
    STRANGER,
    Action,
    ActorKind,
    RecordFilter,
    Subject,
    SubjectKind,
)
from station_core.clock import OUTLIVED, RELEASED
from station_core.errors import (
    Malformed,
    StoreUnavailable,
)
from tests.contract.told import NOON

if TYPE_CHECKING:
    from datetime import datetime

    from tests.contract.rigs import StoreRig
from tests.contract.deeds import deed, recorded


async def test_a_deed_is_kept_as_it_was_over_a_restart(stores: StoreRig) -> None:
    full = deed(result="device_offline", detail={"action": "toggle", "list": [1, None, {"ü": 2.5}]})
    bare = deed(Action.LOGIN, actor=STRANGER, subject=Subject(kind=SubjectKind.USER))
    await stores.audit.keep([full, bare])
    await stores.audit.keep([])
    await stores.reopen()

    found = await recorded(stores)
    assert found == [full, bare]
    assert [one.actor.name for one in found] == ["anna@home.example", None]


async def test_records_come_newest_first_in_pages_that_what_comes_meanwhile_does_not_shift(stores: StoreRig) -> None:
    await stores.audit.keep([deed(detail={"n": n}) for n in range(5)])
    first = await stores.audit.records(limit=2)
    await stores.audit.keep([deed(detail={"n": 5})])
    second = await stores.audit.records(limit=2, cursor=first.next_cursor)
    third = await stores.audit.records(limit=2, cursor=second.next_cursor)

    pages = [[record.deed.detail["n"] for record in page.items] for page in (first, second, third)]
    assert pages == [[4, 3], [2, 1], [0]]
    assert third.next_cursor is None
    numbers = [record.number for page in (first, second, third) for record in page.items]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 19])
async def test_a_cursor_that_is_none_of_ours_is_refused(stores: StoreRig, cursor: str) -> None:
    with pytest.raises(Malformed):
        await stores.audit.records(cursor=cursor)


async def test_records_are_found_by_who_what_whom_and_when(stores: StoreRig) -> None:
    zone = Subject(kind=SubjectKind.ZONE, id="hall", name="Hall")
    await stores.audit.keep(
        [
            deed(Action.DEVICE_ADD),
            deed(Action.ZONE_ADD, subject=zone, at=NOON + timedelta(hours=1)),
            deed(Action.ZONE_REMOVE, subject=zone, actor=INSTALLER, at=NOON + timedelta(hours=2)),
        ]
    )
    wanted = [
        RecordFilter(actor_id="anna"),
        RecordFilter(actor_kind=ActorKind.INSTALLER),
        RecordFilter(actions=frozenset({Action.DEVICE_ADD, Action.ZONE_REMOVE})),
        RecordFilter(subject_kind=SubjectKind.ZONE),
        RecordFilter(subject_id="lamp"),
        RecordFilter(since=NOON + timedelta(hours=1)),
        RecordFilter(until=NOON + timedelta(hours=1)),
        RecordFilter(actor_id="anna", subject_id="hall"),
        RecordFilter(actor_id="nobody"),
    ]

    found = [[one.action for one in await recorded(stores, each)] for each in wanted]
    added_, zone_added, zone_removed = Action.DEVICE_ADD, Action.ZONE_ADD, Action.ZONE_REMOVE
    assert found == [
        [added_, zone_added],
        [zone_removed],
        [added_, zone_removed],
        [zone_added, zone_removed],
        [added_],
        [zone_added, zone_removed],
        [added_],
        [zone_added],
        [],
    ]


async def test_what_is_old_is_forgotten_oldest_first_a_bounded_number_at_a_time(stores: StoreRig) -> None:
    times = [NOON + timedelta(days=day) for day in (3, 1, 2, 9)]
    await stores.audit.keep([deed(at=at) for at in times])
    before = NOON + timedelta(days=5)
    gone = [await stores.audit.forget_records(before=before, limit=2) for _ in range(3)]

    assert gone == [2, 1, 0]
    assert [one.at for one in await recorded(stores)] == [times[3]]


@pytest.mark.parametrize("undated", [RELEASED - timedelta(days=9_000), OUTLIVED], ids=["behind", "ahead"])
async def test_what_a_wrong_clock_dated_goes_with_what_came_after_it(stores: StoreRig, undated: datetime) -> None:
    await stores.audit.keep([deed(at=at) for at in (undated, NOON, undated)])
    await stores.audit.forget_records(before=NOON, limit=10)
    before = await recorded(stores)
    await stores.audit.forget_records(before=NOON + timedelta(days=1), limit=10)

    assert len(before) == 3
    assert [one.at for one in await recorded(stores)] == [undated]


async def test_a_store_that_is_away_says_so_and_keeps_none(stores: StoreRig) -> None:
    await stores.cut()
    with pytest.raises(StoreUnavailable):
        await stores.audit.keep([deed()])
    await stores.mend()

    assert await recorded(stores) == []
