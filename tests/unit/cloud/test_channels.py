"""What the cloud wants to hear of."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from station_adapters.memory.home import MemoryPorts
from station_core.cloud.channels import EVERY_CHANNEL, METHODS, Channels, EventChannel
from station_core.cloud.nowhere import NoOutbox
from station_core.errors import StoreUnavailable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def claimed(ports: MemoryPorts) -> Channels:
    home = ports.home()
    await home.load()
    await home.claim.claimed("token", by=home.claim.standing)
    return home.channels


async def test_until_the_cloud_has_told_it_hears_of_everything() -> None:
    channels = await claimed(MemoryPorts())

    assert channels.active == EVERY_CHANNEL == set(METHODS)


async def test_it_hears_of_what_it_chose_alone_also_after_a_restart() -> None:
    ports = MemoryPorts()
    await (await claimed(ports)).choose(["event", "command", "event"])
    later = ports.home()
    await later.load()

    assert later.channels.active == {EventChannel.EVENT, EventChannel.COMMAND}


async def test_names_that_no_channel_bears_are_ignored_and_counted() -> None:
    channels = await claimed(MemoryPorts())
    await channels.choose(["weather", "state", "", "State"])

    assert channels.active == {EventChannel.STATE}
    assert channels.unknown == 3


async def test_what_the_store_cannot_keep_is_not_in_force() -> None:
    ports = MemoryPorts()
    channels = await claimed(ports)
    ports.outbox.trouble = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await channels.choose(["state"])

    assert channels.active == EVERY_CHANNEL


async def test_of_two_choices_at_once_the_later_one_holds() -> None:
    channels = await claimed(MemoryPorts())
    await asyncio.gather(channels.choose(["state"]), channels.choose([]), channels.choose(["event"]))

    assert channels.active == {EventChannel.EVENT}


async def test_a_home_without_an_outbox_tells_no_cloud_of_anything() -> None:
    outbox = NoOutbox()
    channels = Channels(outbox)
    await outbox.load()
    await channels.choose(["state"])
    await outbox.delivered([])

    assert channels.active == frozenset()
    assert await outbox.waiting(after=(-1, ""), limit=5) == []
    assert await outbox.oldest() is None
    assert await outbox.head() == 0
