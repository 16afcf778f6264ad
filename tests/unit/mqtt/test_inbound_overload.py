"""More than can be handled, from a message to its effect and its acknowledgement."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from station_adapters.memory.clock import settled
from station_adapters.mqtt import intake
from station_adapters.mqtt.packets import DUP, RETAIN

if TYPE_CHECKING:
    import pytest

    from tests.unit.mqtt.inbound_desk import Broker


async def test_commits_wait_for_larger_batches_only_in_overload(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SHED_FROM", 4)
    for n in range(4):
        broker.send("state", b'{"state":{"brightness":%d}}' % n)
    below = broker.home.journal.crowded
    broker.send("state", b'{"state":{"brightness":5}}')
    above = broker.home.journal.crowded
    await broker.inbound.drained()

    assert (below, above, broker.home.journal.crowded) == (False, True, False)


async def test_overload_and_rubbish_change_no_order_of_acknowledgements(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SHED_FROM", 2)
    broker.send("state", b'{"state":{"t":1}}', 1)
    broker.send("event", b'{"event":"device_event","data":{"action":"press"}}', 2)
    broker.send("state", b'{"state":{"t":3}}', 3)
    broker.send("event", b'{"event":"device_event","data":{"action":"press"}}', 4)
    broker.send("state", b'{"state":{"t":5}}', 5, RETAIN)
    broker.send("state", b'{"state":{"t":6}}', 6)
    broker.send("state", b'{"state":{"t":7}}', 7, device="+")
    broker.send("event", b"", 8)
    async with asyncio.timeout(10):
        await broker.inbound.drained()
        await broker.home.journal.drained()
    await settled()

    assert broker.inbound.counts["state", "superseded"] == 2
    assert broker.wire.acknowledged == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_what_went_into_another_has_no_effect_when_it_comes_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SHED_FROM", 1)
    for n in range(1, 4):
        broker.send("state", b'{"state":{"t":%d}}' % n, n)
    await broker.inbound.drained()
    broker.reconnect(session_kept=True)
    broker.send("state", b'{"state":{"t":2}}', 2, DUP)
    broker.send("state", b'{"state":{"t":3}}', 3, DUP)
    await broker.inbound.drained()

    assert broker.inbound.counts["state", "again"] == 2
    assert broker.home.household.devices()[0].state == {"t": 3}


async def test_a_report_that_is_refused_takes_no_other_along(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SHED_FROM", 1)
    broker.send("state", json.dumps({"state": {f"key{n}": n for n in range(100)} | {"motion": False}}).encode())
    await broker.inbound.drained()
    broker.send("event", b'{"event":"device_event","data":{"action":"press"}}')
    broker.send("state", b'{"state":{"temperature":21}}', 1)
    broker.send("state", b'{"state":{"motion":true}}', 2)
    broker.send("state", json.dumps({"state": {f"new{n}": n for n in range(100)}}).encode(), 3)
    await broker.inbound.drained()

    state = broker.home.household.devices()[0].state
    assert (state["temperature"], state["motion"], len(state)) == (21, True, 102)
    assert broker.inbound.counts["state", "malformed"] == 1


async def test_of_each_message_it_counts_what_became_of_it_once(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SHED_FROM", 2)
    for n in range(5):
        broker.send("state", b'{"state":{"t":%d}}' % n)
    broker.send("state", b'{"state":{"t":"\\u0000"}}')
    broker.send("event", b'{"event":"device_event","data":{"action":"press"}}')
    broker.send("heartbeat", b'{"status":"online"}')
    broker.send("heartbeat", b'{"status":"online"}', device="stranger")
    async with asyncio.timeout(10):
        await broker.inbound.drained()

    assert broker.inbound.counts == {
        ("state", "accepted"): 2,
        ("state", "superseded"): 3,
        ("state", "malformed"): 1,
        ("event", "accepted"): 1,
        ("heartbeat", "accepted"): 1,
        ("heartbeat", "unknown_device"): 1,
    }
