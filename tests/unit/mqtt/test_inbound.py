"""From a message to its effect and its acknowledgement, over the core in memory; no socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from station_adapters.memory.clock import settled
from station_adapters.mqtt.packets import DUP, RETAIN
from station_core.devices.model import Status
from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    import pytest

    from tests.unit.mqtt.inbound_desk import Broker

HANDSHAKE = b'{"type":"light","firmwareVersion":"1.0"}'


def lamp(broker: Broker) -> Status:
    return broker.home.household.devices()[0].status


async def test_a_message_is_acknowledged_after_the_commit_that_holds_its_effect(broker: Broker) -> None:
    broker.ports.store.trouble = StoreUnavailable()
    broker.send("state", b'{"state":{"on":true}}', 7)
    await settled()
    before = list(broker.wire.acknowledged)
    broker.ports.store.trouble = None
    await broker.ports.clock.advance(1)

    assert before == []
    assert broker.wire.acknowledged == [7]
    assert broker.home.household.devices()[0].state == {"on": True}


async def test_acknowledgements_keep_the_order_of_the_messages_also_of_those_without_effect(broker: Broker) -> None:
    broker.send("heartbeat", b'{"status":"online"}', 1)
    broker.send("state", b"rubbish", 2)
    broker.send("state", b'{"state":{}}', 3, device="nobody")
    broker.send("heartbeat", b'{"status":"online"}', 4)
    broker.send("state", b'{"state":{"on":true}}', 5, RETAIN)
    broker.inbound.offer(b"elsewhere", b"", 6, 0, broker.wire)
    broker.send("event", b'{"event":"device_event","data":{"action":"x"}}', 7)
    await settled()

    assert sorted(broker.wire.acknowledged) == [1, 2, 3, 4, 5, 6, 7]
    assert [i for i in broker.wire.acknowledged if i in {1, 2, 3, 4, 7}] == [1, 2, 3, 4, 7]


async def test_a_message_that_comes_again_is_acknowledged_without_effect(broker: Broker) -> None:
    broker.send("event", b'{"event":"device_event","data":{"action":"x"}}', 7)
    await settled()
    broker.reconnect(session_kept=True)
    broker.send("event", b'{"event":"device_event","data":{"action":"x"}}', 7, DUP)
    broker.send("event", b'{"event":"device_event","data":{"action":"y"}}', 8, DUP)
    await settled()

    assert broker.wire.acknowledged == [7, 8]
    assert (await broker.feed()).count("event_received") == 2
    assert broker.inbound.counts["event", "again"] == 1


async def test_after_a_broker_that_forgot_a_message_with_a_known_id_has_its_effect(broker: Broker) -> None:
    broker.send("event", b'{"event":"device_event","data":{"action":"x"}}', 7)
    await settled()
    broker.reconnect(session_kept=False)
    broker.send("event", b'{"event":"device_event","data":{"action":"x"}}', 7, DUP)
    await settled()

    assert (await broker.feed()).count("event_received") == 2


async def test_what_one_connection_brought_is_never_acknowledged_on_another(broker: Broker) -> None:
    broker.ports.store.trouble = StoreUnavailable()
    broker.send("state", b'{"state":{"on":true}}', 7)
    await settled()
    first = broker.wire
    broker.reconnect(session_kept=True)
    broker.send("state", b'{"state":{"on":true}}', 7, DUP)
    await settled()
    broker.ports.store.trouble = None
    await broker.ports.clock.advance(1)

    assert first.acknowledged == [7]
    assert broker.wire.acknowledged == [7]
    assert broker.inbound.counts["state", "again"] == 1


async def test_retained_messages_are_ignored_and_counted(broker: Broker) -> None:
    broker.send("state", b'{"state":{"on":true}}', 7, RETAIN)
    await settled()

    assert broker.home.household.devices()[0].state == {}
    assert broker.inbound.counts["state", "retained"] == 1
    assert broker.wire.acknowledged == [7]


async def test_rejections_are_counted_each_and_logged_once_per_device_and_kind(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        broker.send("state", b"{")
        broker.send("heartbeat", b"{")
        broker.send("state", b"{}", device="nobody")
        broker.inbound.offer(b"station/s/device/+/state", b"", 0, 0, broker.wire)
    await settled()

    assert broker.inbound.counts["state", "malformed"] == 5 + 5
    assert broker.inbound.counts["heartbeat", "malformed"] == 5
    assert broker.inbound.counts["topic", "malformed"] == 5
    assert len([r for r in caplog.records if r.name == "station.mqtt"]) == 4


async def test_the_next_message_after_rubbish_is_handled(broker: Broker) -> None:
    broker.send("state", b"\xff")
    broker.send("state", b"[" * 60_000)
    broker.send("state", b'{"state":{"on":false}}')
    await settled()

    assert broker.home.household.devices()[0].state == {"on": False}


async def test_a_bug_in_handling_a_message_costs_that_one_alone_and_is_logged_whole(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    for packet_id in (1, 2):
        broker.send("state", b'{"state":{"on":true}}', packet_id)
    broker.send("event", b"{", 3)
    with monkeypatch.context() as broken:
        broken.setattr(broker.ports.clock, "now", lambda: 1 / 0)
        await settled(1)
    broker.send("state", b'{"state":{"on":false}}', 4)
    await settled()

    assert broker.inbound.counts["state", "failed"] == 2
    assert broker.inbound.counts["event", "malformed"] == 1
    assert broker.wire.acknowledged == [1, 2, 3, 4]
    assert broker.home.household.devices()[0].state == {"on": False}
    assert ["ZeroDivisionError" in record.exc_text for record in caplog.records if record.exc_text] == [True]


async def test_a_stranger_s_handshake_is_answered_on_the_store_s_word_alone(broker: Broker) -> None:
    broker.send("handshake", HANDSHAKE, device="stranger")
    broker.send("state", b'{"state":{}}', device="stranger")
    await broker.ports.clock.advance(1)

    answers = [(a.external_id, a.known) for a in broker.ports.link.answers]
    assert answers == [("stranger", False)]
    assert broker.inbound.counts["handshake", "unknown_device"] == 1


async def test_a_will_takes_the_device_offline_and_a_handshake_brings_it_back(broker: Broker) -> None:
    broker.send("handshake", HANDSHAKE, 1)
    await settled()
    joined = lamp(broker)
    broker.send("heartbeat", b'{"status":"offline"}', 2)
    await settled()
    gone = lamp(broker)
    broker.send("heartbeat", b'{"status":"online","session":4}', 3)
    broker.send("heartbeat", b'{"status":"offline","session":3}', 4)
    await settled()

    assert (joined, gone, lamp(broker)) == (Status.ONLINE, Status.OFFLINE, Status.ONLINE)
    assert broker.wire.acknowledged == [1, 2, 3, 4]


async def test_while_the_store_is_away_messages_wait_and_none_is_lost(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("station_core.journal.writer.JOURNAL_BOUND", 20)
    broker.ports.store.trouble = StoreUnavailable()
    for n in range(200):
        broker.send("event", b'{"event":"device_event","data":{"action":"%d"}}' % n, n + 1)
    await settled(100)
    held = broker.home.journal.waiting
    broker.ports.store.trouble = None
    for _ in range(20):
        await broker.ports.clock.advance(3)

    assert held < 20
    assert broker.wire.acknowledged == list(range(1, 201))
    page = await broker.ports.store.activities(limit=500)
    told = [item.payload["data"] for item in reversed(page.items) if item.event_type == "event_received"]
    assert told == [{"action": str(n)} for n in range(200)]


async def test_a_lost_connection_takes_no_device_offline(broker: Broker) -> None:
    broker.send("handshake", HANDSHAKE)
    await settled()
    broker.inbound.lost()
    await broker.ports.clock.advance(600)

    assert lamp(broker) is Status.ONLINE


async def test_what_was_read_is_drained_before_the_end(broker: Broker) -> None:
    for n in range(500):
        broker.send("state", b'{"state":{"n":%d}}' % n)
    async with asyncio.timeout(5):
        await broker.inbound.drained()

    assert broker.home.household.devices()[0].state == {"n": 499}
