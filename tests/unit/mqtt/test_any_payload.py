"""No payload kills a consumer: whatever comes on any topic, it's counted, and the next message is handled."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from station_adapters.http.messages import broadcast, is_broadcast
from station_adapters.memory.home import MemoryPorts
from station_adapters.mqtt import intake
from station_adapters.mqtt.inbound import Inbound
from station_adapters.mqtt.packets import DUP
from station_core.events import Event
from station_core.values import MAX_MESSAGE, object_size, object_weight
from tests.unit.mqtt.any_json import OBJECTS, TEXTS, VALUES, encoded, mutated

if TYPE_CHECKING:
    from station_core.values import Value

SUFFIXES = st.sampled_from(["state", "event", "heartbeat", "handshake"])
VALID = st.sampled_from(
    [
        b'{"state":{"on":true,"brightness":75,"note":"\xc3\xa9","more":[1,{"a":null}]}}',
        b'{"state":{"on":false}}',
        b'{"event":"user_event","data":{"action":"press","n":1}}',
        b'{"status":"online","session":4}',
        b'{"status":"offline","session":3}',
        b'{"type":"light","firmwareVersion":"1.0","chip":"esp32","kit_tag":"k","session":4,"acks":true}',
    ]
)
OFTEN = st.sampled_from(["device_event", "user_event", "press", "online", "offline", "light", 0, 1, True]) | VALUES
SPOKEN = st.one_of(
    VALUES,
    st.fixed_dictionaries({"state": OBJECTS | VALUES}),
    st.fixed_dictionaries({"event": OFTEN, "data": st.fixed_dictionaries({"action": OFTEN, "more": VALUES}) | VALUES}),
    st.fixed_dictionaries({"status": OFTEN}, optional={"session": OFTEN}),
    st.fixed_dictionaries(
        {"type": OFTEN, "firmwareVersion": OFTEN | TEXTS},
        optional={"chip": OFTEN, "kit_tag": OFTEN, "session": OFTEN, "acks": OFTEN, "more": VALUES},
    ),
)
PAYLOADS = st.one_of(st.binary(max_size=50), st.builds(encoded, SPOKEN), mutated(VALID), VALID)
TOPICS = st.one_of(
    SUFFIXES.map(lambda suffix: f"station/s/device/lamp/{suffix}".encode()),
    SUFFIXES.map(lambda suffix: f"station/s/device/stranger/{suffix}".encode()),
    mutated(st.just(b"station/s/device/lamp/state")),
    st.binary(max_size=30),
)
MESSAGES = st.lists(st.tuples(TOPICS, PAYLOADS, st.sampled_from([0, DUP])), min_size=1, max_size=12)
EACH = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
STATE = b"station/s/device/lamp/state"


class Wire:
    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    def acknowledge(self, packet_ids: list[int]) -> None:
        self.acknowledged += packet_ids


async def survive(messages: list[tuple[bytes, bytes, int]]) -> None:
    wrongs: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrongs.append(context))
    ports, wire = MemoryPorts(), Wire()
    async with ports.running() as home:
        await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        news = home.bus.subscribe(Event, bound=10_000)
        inbound = Inbound(home)
        inbound.begun_anew()
        inbound.connected(on_roomy=lambda: None)
        inbound.hears()
        event = b'{"event":"device_event","data":{"action":"the next one"}}'
        everything = [*messages, (b"station/s/device/lamp/event", event, 0)]
        for packet_id, (topic, payload, flags) in enumerate(everything, 1):
            inbound.offer(topic, payload, packet_id, flags, wire)
        async with asyncio.timeout(10):
            await inbound.drained()
            await ports.clock.advance(1)  # in overload commits wait a little for more
            await home.journal.drained()
        [lamp] = home.household.devices()
        kept = await ports.store.find("lamp")
        page = await ports.store.activities()

        assert wrongs == []
        assert sorted(wire.acknowledged) == list(range(1, len(everything) + 1))
        assert inbound.counts.total() == len(everything)
        assert home.journal.refused == 0
        assert page.items[0].payload == {"event": "device_event", "data": {"action": "the next one"}}
        assert kept is not None
        assert kept[0].state == lamp.state
        acceptable(dict(lamp.state))
        for told in news.take():
            if is_broadcast(told):
                strict(broadcast(told, 1))


def acceptable(state: dict[str, Value]) -> None:
    object_weight(state, 2)
    assert object_size(state) <= MAX_MESSAGE
    strict(json.dumps(state, allow_nan=False))


def strict(text: str | bytes) -> None:
    json.loads(text, parse_constant=pytest.fail)


@EACH
@given(messages=MESSAGES)
@example(messages=[(STATE, b"[" * 65_536, 0)])
@example(messages=[(STATE, b'{"state":' * 7_000, 0)])
@example(messages=[(STATE, b'{"state":{"a":' + b"9" * 60_000 + b"}}", 0)])
@example(messages=[(STATE, b'{"state":{"a":1e' + b"9" * 60_000 + b"}}", 0)])
@example(messages=[(STATE, b'{"state":{"a":"' + b"\\u0001" * 10_000 + b'"}}', 0)])
@example(messages=[(STATE, encoded({"state": {f"{n}": "\1" * 4_000 for n in range(4)}}), 0)] * 2)
@example(messages=[(STATE, encoded({"state": {f"{n}{m}": m for m in range(100)}}), 0) for n in range(2)])
def test_no_payload_on_any_topic_kills_the_consumer(messages: list[tuple[bytes, bytes, int]]) -> None:
    asyncio.run(survive(messages))


@EACH
@given(messages=MESSAGES)
@example(messages=[(STATE, b"", 0), (STATE, b'{"state":{"t":1}}', 0), (STATE, b'{"state":{"t":2}}', 0)])
def test_nor_does_it_while_telemetry_is_superseded(messages: list[tuple[bytes, bytes, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "SHED_FROM", 2)
        asyncio.run(survive(messages))
