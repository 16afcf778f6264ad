"""What the live socket tells (docs/protocols.md §4), from a real server with real clients."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from station_adapters.http.live import NEWS_BOUND, SOCKETS, STRANGERS
from station_adapters.http.subscriber import QUEUE_BOUND
from station_core.devices.events import DeviceDeleted
from tests.contract.http_rig import AT, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.devices.ports import DeviceChange
    from station_core.journal import Batch
    from tests.contract.http_rig import HttpRig

NEWS = "device_state_changed"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


def reported(rig: HttpRig, *values: int, ballast: int = 0) -> None:
    """The lamp reports so, all in one commit."""
    for value in values:
        rig.home.devices.report_state("lamp", {"brightness": value, "note": "x" * ballast})


# What is told


async def test_everything_that_happens_to_a_device_is_told_in_order(rig: HttpRig) -> None:
    async with AsyncExitStack() as stack:
        client = await rig.opened(stack, await rig.token())
        device_id, _ = await rig.add()
        rig.home.devices.report_state("lamp", {"on": False})
        rig.home.devices.report_state("lamp", {"on": True})
        rig.home.devices.receive_event("lamp", "user_event", {"action": "press"})
        await rig.home.journal.drained()
        await rig.log_in()
        await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})
        await rig.http.patch(f"/api/devices/{device_id}", json={"name": "Sun"})
        rig.home.health.tell("mqtt", up=False)
        await rig.http.delete(f"/api/devices/{device_id}")

        heard = await client.until("device_deleted")

    numbers = [message.pop("seq") for message in heard]
    assert numbers == list(range(numbers[0], numbers[0] + len(heard)))
    added, updated = heard[0].pop("device"), heard[8].pop("device")
    assert (added["name"], updated["name"], updated["lastKnownState"]) == ("Lamp", "Sun", {"on": True})
    lamp = {"deviceId": device_id, "deviceName": "Lamp"}
    typed = {**lamp, "deviceType": "light", "timestamp": AT}
    assert heard == [
        {"type": "device_added"},
        {"type": "device_status_changed", **typed, "status": "online"},
        {"type": NEWS, "deviceId": device_id, "state": {"on": False}, "timestamp": AT},
        {"type": NEWS, "deviceId": device_id, "state": {"on": True}, "timestamp": AT},
        {"type": "device_state_transition", **typed, "capabilityKey": "on", "oldValue": False, "newValue": True},
        {"type": "device_event_received", **typed, "event": "device_event", "data": {"action": "turned_on"}},
        {"type": "device_event_received", **typed, "event": "user_event", "data": {"action": "press"}},
        {"type": "device_command_sent", **lamp, "command": {"action": "toggle"}, "timestamp": AT},
        {"type": "device_updated"},
        {"type": "link_status", "link": "mqtt", "status": "down"},
        {"type": "device_deleted", "deviceId": device_id, "deviceName": "Sun"},
    ]


async def test_who_asked_for_batches_gets_one_frame_for_a_commit_and_others_the_same_in_single_frames(
    rig: HttpRig,
) -> None:
    await rig.add()
    token = await rig.token()
    async with AsyncExitStack() as stack:
        batching = await rig.opened(stack, token, batch=True)
        single = await rig.opened(stack, token)
        reported(rig, *range(50))
        await rig.home.journal.drained()
        reported(rig, 50)

        first, second = await batching.frame(), await batching.frame()
        frames = [await single.frame() for _ in range(len(first) + len(second))]

    assert [m["state"]["brightness"] for m in first[1:]] == list(range(50))
    assert [m["state"]["brightness"] for m in second] == [50]
    assert frames == [*first, *second]


async def test_a_snapshot_and_what_follows_join_without_gap_or_double(rig: HttpRig) -> None:
    """Reports never cease; sockets that come in between must each be able to count on from their snapshot."""
    await rig.add()
    token = await rig.token()

    async def reporting() -> None:
        for value in range(2_000):
            reported(rig, value)
            await asyncio.sleep(0)

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        going_on = group.create_task(reporting())
        clients = [await stack.enter_async_context(rig.socket(token, batch=n % 2 == 0)) for n in range(8)]
        histories = [[await client.next()] for client in clients]
        await going_on
        await rig.home.journal.drained()
        reported(rig, 9_999)
        for client, history in zip(clients, histories, strict=True):
            while history[-1].get("state", {}).get("brightness") != 9_999:
                history.append(await client.next())

    for snapshot, *following in histories:
        assert snapshot["type"] == "snapshot"
        assert [m["seq"] for m in following] == [snapshot["seq"] + n + 1 for n in range(len(following))]
        values = [m["state"]["brightness"] for m in following if m["type"] == NEWS]
        [lamp] = snapshot["devices"]
        begin = lamp["lastKnownState"].get("brightness", -1) + 1
        assert values == [*range(begin, 2_000), 9_999]


async def test_a_snapshot_holds_nothing_that_is_not_kept_yet(rig: HttpRig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.add()
    token = await rig.token()
    answers, commit = asyncio.Event(), rig.ports.store.commit

    async def slowly(batch: Batch[DeviceChange]) -> None:
        await answers.wait()
        await commit(batch)

    monkeypatch.setattr(rig.ports.store, "commit", slowly)
    reported(rig, 1)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(rig.socket(token))
        [lamp] = (await client.next())["devices"]
        answers.set()

        assert lamp["lastKnownState"] == {}
        assert (await client.until(NEWS))[-1]["state"]["brightness"] == 1


# Slow and many


async def test_who_reads_too_slowly_begins_anew_and_holds_nobody_up(rig: HttpRig) -> None:
    await rig.add()
    token = await rig.token()
    async with AsyncExitStack() as stack:
        slow = await rig.opened(stack, token)
        quick = await rig.opened(stack, token)
        slow.connection.transport.pause_reading()
        size = 4_000
        rounds = 3 * QUEUE_BOUND // size
        for value in range(rounds):
            reported(rig, value, ballast=size)
            if value % 50 == 0:
                await rig.home.journal.drained()
            while value % 50 == 49 and (await quick.until(NEWS))[-1]["state"]["brightness"] < value - 50:
                pass
        await rig.home.journal.drained()
        followed = await quick.next()
        while followed["state"]["brightness"] != rounds - 1:
            followed = await quick.next()

        slow.connection.transport.resume_reading()
        heard = await slow.until("snapshot")
        reported(rig, rounds)
        after = await slow.until(NEWS)

    gap = heard[-1]["seq"] - heard[-2]["seq"]
    assert gap > 1
    [lamp] = heard[-1]["devices"]
    assert lamp["lastKnownState"]["brightness"] == rounds - 1
    assert after[-1]["seq"] == heard[-1]["seq"] + 1
    assert after[-1]["state"]["brightness"] == rounds


async def test_when_the_hub_itself_missed_something_everybody_begins_anew(rig: HttpRig) -> None:
    await rig.add()
    token = await rig.token()
    async with AsyncExitStack() as stack:
        clients = [await rig.opened(stack, token, batch=batch) for batch in (True, False)]
        missed = DeviceDeleted(device_id="d", device_name="D", timestamp=rig.ports.clock.now())
        rig.home.bus.publish([missed] * (NEWS_BOUND + 1))
        reported(rig, 5)

        for client in clients:
            history = await client.until("snapshot")
            assert [m["type"] for m in history] == ["snapshot"]
            assert (await client.until(NEWS))[-1]["seq"] > history[-1]["seq"]


async def test_too_many_are_asked_to_come_again_later(rig: HttpRig) -> None:
    token = await rig.token()
    async with AsyncExitStack() as stack:
        clients = [await rig.opened(stack, token) for _ in range(SOCKETS)]
        one_too_many = await stack.enter_async_context(rig.socket())

        assert await one_too_many.closed() == 1013
        await clients[0].connection.close()
        await until(lambda: not rig.hub.full)
        await rig.opened(stack, token)


async def test_who_shows_nothing_takes_the_place_of_nobody(rig: HttpRig) -> None:
    token = await rig.token()
    async with AsyncExitStack() as stack:
        known = await rig.opened(stack, token)
        for _ in range(STRANGERS):
            await rig.opened(stack)
        one_too_many = await rig.opened(stack)

        assert await one_too_many.closed() == 1013
        await known.say({"type": "ping"})
        assert await known.next() == {"type": "pong"}
