"""What every `Outbox` promises of the ways in which it's emptied."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.cloud.channels import EVERY_CHANNEL, EventChannel
from station_core.cloud.outbox import Bounds
from station_core.devices.model import Status
from station_core.errors import StoreFull, StoreUnavailable
from tests.contract.mail import SECRET, all_of, claimed, commands, methods
from tests.contract.told import NOON, added, batch, goes, reports, tells

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from station_core.cloud.letters import Rank
    from tests.contract.mail import Stores
    from tests.contract.rigs import StoreRig

AMPLE = Bounds(letters=1_000, bytes=1_000_000)


async def test_what_was_delivered_waits_no_longer(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, tells(lamp, {"n": 1}), tells(lamp, {"n": 2}), reports(lamp, {"n": 1})))
    first, second, state = await all_of(stores)
    await stores.outbox.delivered([first, state])
    await stores.outbox.delivered([first, state])
    await stores.outbox.delivered([])

    assert await all_of(stores) == [second]


async def test_a_state_stays_when_there_is_a_newer_one(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, reports(lamp, {"n": 1})))
    [sent] = await all_of(stores)
    await stores.devices.commit(batch(2, reports(lamp, {"n": 2}, after=2)))
    await stores.outbox.delivered([sent])
    [newer] = await all_of(stores)

    assert newer.letter.params["state"] == {"n": 2}
    assert newer.event_id != sent.event_id


async def test_what_is_no_report_leaves_the_state_waiting(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    reported = reports(lamp, {"n": 1})
    await stores.devices.commit(batch(1, reported))
    before = await all_of(stores)
    gone = goes(reported.device, Status.ONLINE)
    await stores.devices.commit(batch(2, gone))
    after = await all_of(stores)

    assert [one for one in after if one.device_id is not None] == before


async def test_an_inactive_channel_keeps_nothing_and_drops_what_waits(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    happened = [goes(lamp), reports(lamp, {"on": True}), tells(lamp, {}), commands(lamp)]
    await stores.devices.commit(batch(1, *happened))
    await stores.outbox.activate(frozenset({EventChannel.COMMAND}))
    left = await methods(stores)
    await stores.devices.commit(batch(2, *happened))
    kept = await methods(stores)
    await stores.outbox.activate(EVERY_CHANNEL)
    back = await methods(stores)
    await stores.devices.commit(batch(3, *happened))

    assert left == ["device.commandSent"]
    assert kept == back == ["device.commandSent"] * 2
    assert len(await methods(stores)) == 6


async def test_the_channels_are_kept_over_a_restart(stores: StoreRig) -> None:
    await claimed(stores)
    await stores.outbox.activate(frozenset({EventChannel.EVENT, EventChannel.STATE}))
    await stores.reopen()
    await stores.outbox.load()
    some = stores.outbox.active
    await stores.outbox.activate(frozenset())
    await stores.reopen()
    await stores.outbox.load()

    assert some == {EventChannel.EVENT, EventChannel.STATE}
    assert stores.outbox.active == frozenset()


async def test_of_an_unclaimed_station_no_channel_becomes_active(stores: StoreRig) -> None:
    await stores.outbox.load()
    await stores.outbox.activate(EVERY_CHANNEL)

    assert stores.outbox.active == frozenset()


async def let_go_by_forget(stores: Stores) -> None:
    await stores.cloud.forget()


async def let_go_by_unclaim(stores: Stores) -> None:
    await stores.cloud.unclaim(fresh_secret=SECRET)


async def let_go_by_reset(stores: Stores) -> None:
    await stores.cloud.begin_reset([])


@pytest.mark.parametrize("let_go", [let_go_by_forget, let_go_by_unclaim, let_go_by_reset])
async def test_let_go_nothing_waits_and_the_next_cloud_begins_with_everything(
    stores: StoreRig, let_go: Callable[[Stores], Awaitable[None]]
) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.outbox.activate(frozenset({EventChannel.EVENT, EventChannel.STATE}))
    await stores.devices.commit(batch(1, tells(lamp, {}), reports(lamp, {"n": 1})))
    await let_go(stores)
    active, waiting = stores.outbox.active, await all_of(stores)
    await stores.devices.commit(batch(2, tells(lamp, {}), reports(lamp, {"n": 2})))
    await claimed(stores)

    assert (active, waiting) == (frozenset(), [])
    assert stores.outbox.active == EVERY_CHANNEL
    assert await all_of(stores) == []


async def test_a_second_claim_begins_with_nothing_and_everything_active(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.outbox.activate(frozenset({EventChannel.EVENT}))
    await stores.devices.commit(batch(1, tells(lamp, {})))
    await claimed(stores)

    assert stores.outbox.active == EVERY_CHANNEL
    assert await all_of(stores) == []


async def test_what_fails_leaves_everything_as_it_was(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, tells(lamp, {}), reports(lamp, {"n": 1})))
    waiting = await all_of(stores)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: stores.outbox.activate(frozenset()),
        lambda: stores.outbox.delivered(waiting),
        lambda: stores.outbox.cut(Bounds(letters=0, bytes=0), limit=10),
        stores.cloud.forget,
    ]
    await stores.cut()
    for attempt in attempts:
        with pytest.raises(StoreUnavailable):
            await attempt()
    await stores.mend()

    assert stores.outbox.active == EVERY_CHANNEL
    assert await all_of(stores) == waiting


async def test_it_is_emptied_also_when_the_disk_is_full(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, tells(lamp, {})))
    waiting = await all_of(stores)
    await stores.fill()
    with contextlib.suppress(StoreFull):
        await stores.outbox.delivered(waiting)
    await stores.make_room()
    await stores.outbox.delivered(waiting)

    assert await all_of(stores) == []


def told(fallen: Sequence[Mapping[Rank, int]]) -> list[dict[str, int]]:
    return [{rank.name: count for rank, count in some.items()} for some in fallen]


async def test_too_much_gives_way_by_rank_and_then_by_age(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    happened = [commands(lamp, "first"), tells(lamp, {"n": 1}), goes(lamp), tells(lamp, {"n": 2}), goes(lamp)]
    reported = reports(lamp, {"n": 1})
    await stores.devices.commit(batch(1, *happened, reported))
    within = await stores.outbox.cut(AMPLE, limit=10)
    await stores.devices.commit(batch(2, goes(reported.device)))
    few = Bounds(letters=2, bytes=1_000_000)
    fallen = [await stores.outbox.cut(few, limit=2) for _ in range(4)]
    waiting = await all_of(stores)

    assert within == {}
    assert told(fallen) == [{"TELEMETRY": 2}, {"TELEMETRY": 1}, {"ALARM": 1}, {}]
    assert [one.letter.params.get("command") or one.letter.params.get("data") for one in waiting] == [
        {"action": "first"},
        {"action": "press", "n": 2},
        None,
    ]
    assert waiting[-1].letter.params["state"] == {"n": 1}


async def test_too_many_bytes_give_way_too(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, *(tells(lamp, {"n": n, "text": "é" * 500}) for n in range(10))))
    fallen = await stores.outbox.cut(Bounds(letters=100, bytes=5_000), limit=100)
    waiting = await all_of(stores)

    assert told([fallen]) == [{"ALARM": 6}]
    assert [one.letter.params["data"] for one in waiting] == [
        {"action": "press", "n": n, "text": "é" * 500} for n in range(6, 10)
    ]


async def test_the_oldest_tells_since_when_the_cloud_misses_something(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    nothing = await stores.outbox.oldest()
    await stores.devices.commit(batch(1, reports(lamp, {"n": 1}, after=5)))
    state = await stores.outbox.oldest()
    await stores.devices.commit(batch(2, tells(lamp, {})))
    event = await stores.outbox.oldest()
    await stores.outbox.activate(frozenset({EventChannel.STATE}))

    assert (nothing, state, event) == (None, NOON + timedelta(seconds=5), NOON)
    assert await stores.outbox.oldest() == NOON + timedelta(seconds=5)


async def test_the_head_is_where_what_happens_next_comes_after(stores: StoreRig) -> None:
    await claimed(stores)
    lamp = await added(stores.devices)
    await stores.devices.commit(batch(1, tells(lamp, {"n": 1})))
    head = await stores.outbox.head()
    await stores.devices.commit(batch(2, tells(lamp, {"n": 2})))
    [before, after] = await all_of(stores)

    assert before.seq <= head < after.seq
