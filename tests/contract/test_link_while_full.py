"""A new connection to the broker while nothing more that devices say finds room; over a real broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_adapters.mqtt import client
from station_adapters.mqtt.connection import Connection
from station_adapters.mqtt.link import MqttLink
from station_core.errors import BrokerUnavailable, LinkDown
from tests.contract import link_rigs
from tests.contract.http_rig import until
from tests.contract.link_rigs import DEVICE, STATION, Heard, MqttRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

TOGGLE = Heard("command", {"action": "toggle"})


@pytest.fixture
async def rig() -> AsyncIterator[MqttRig]:
    async with link_rigs.mqtt() as rig:
        yield rig


async def toggled(rig: MqttRig) -> bool:
    """Whether a command went out."""
    try:
        await rig.link.send(STATION, DEVICE, {"action": "toggle"})
    except BrokerUnavailable:
        return False
    return True


async def speaks(rig: MqttRig) -> None:
    """Return when a command has gone out."""
    async with asyncio.timeout(5):
        while not await toggled(rig):  # noqa: ASYNC110  # the link tells of nothing: it's asked
            await asyncio.sleep(0)


async def test_commands_go_out_and_the_connection_stays_until_there_is_room_to_hear(
    rig: MqttRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    unanswered: list[Connection] = []
    subscribe = Connection.subscribe

    async def watched(connection: Connection, topics: Sequence[str]) -> None:
        try:
            await subscribe(connection, topics)
        except LinkDown:
            unanswered.append(connection)
            raise

    await rig.overfill()
    await rig.cut()
    monkeypatch.setattr(client, "CONNECT_WITHIN", 0.5)
    monkeypatch.setattr(Connection, "subscribe", watched)
    rig.begin()
    await speaks(rig)
    heard = await rig.heard(1)
    await until(lambda: unanswered)
    again = await toggled(rig)
    rig.make_room()
    await rig.subscribed()

    assert heard == [TOGGLE]
    assert again
    assert len(unanswered) == 1
    assert rig.link._connection is unanswered[0]


async def test_a_broker_that_falls_silent_is_found_although_what_devices_say_is_not_read(
    rig: MqttRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.overfill()
    await rig.cut()
    monkeypatch.setattr(client, "KEEP_ALIVE", 2)
    rig.begin()
    await speaks(rig)
    await rig.falls_silent()

    assert rig.inbound.intake.full
    assert not await toggled(rig)


async def test_a_session_begun_anew_is_subscribed_to_at_once(rig: MqttRig) -> None:
    await rig.overfill()
    await rig.cut()
    rig.link = MqttLink(rig.link._address, "station/anew")
    rig.begin()
    await rig.subscribed()

    assert rig.inbound.intake.full
    assert await toggled(rig)


async def test_a_link_that_reads_nothing_more_does_not_begin_again_when_there_is_room(rig: MqttRig) -> None:
    await rig.overfill()
    waiting = len(rig.inbound.intake)
    rig.link.stop_reading()
    rig.make_room()
    async with asyncio.timeout(5):
        await rig.inbound.drained()
    sent = await toggled(rig)
    heard = await rig.heard(1)  # by way of the broker: what was ready to be read would have been read meanwhile

    assert (sent, heard) == (True, [TOGGLE])
    assert rig.inbound.counts.total() == waiting
