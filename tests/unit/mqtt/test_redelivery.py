"""At least once in, once in effect: any order of messages, cuts, kills and restarts over a scripted broker."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from station_adapters.memory.clock import settled
from station_adapters.mqtt.packets import RETAIN
from station_core.errors import StoreUnavailable
from tests.unit.mqtt.saga import DEVICES, Saga, feed, numbers
from tests.unit.mqtt.scripted_broker import ScriptedBroker, Station

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


PACKET_IDS: Final = 64  # so few that they are used anew within a run
RECORDS: Final = 24  # deliveries on record: far below, as in a house
UNDER_WAY: Final = 12  # messages that the broker holds at most

devices = st.sampled_from(DEVICES)
turns = st.integers(0, 30)
sessions = st.none() | st.integers(0, 3)


class Redelivery(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("station_core.journal.deliveries.DELIVERIES_KEPT", RECORDS)
        self.runner = asyncio.Runner()
        self.runner.get_loop().set_exception_handler(lambda _, context: self.broker.wrongs.append(str(context)))
        self.broker = ScriptedBroker(PACKET_IDS)
        self.sagas = {device: Saga() for device in DEVICES}
        self.last = 0
        self.kills = self.forgot = 0

    def do(self, what: Coroutine[Any, Any, None]) -> None:
        self.runner.run(what)

    def act(self, act: Callable[[], None], turns: int) -> None:
        """Do something in a turn of the loop, and let that run for so many more."""

        async def then() -> None:
            act()
            await settled(turns)

        self.do(then())

    @initialize()
    def move_in(self) -> None:
        self.do(self._move_in())

    async def _move_in(self) -> None:
        self.station = Station()
        await self.station.start()
        for device in DEVICES:
            await self.station.home.household.add(external_id=device, name=device.title(), type_id="light")
        self.broker.connect(self.station.inbound)

    # What devices say

    @precondition(lambda self: len(self.broker.queue) < UNDER_WAY)
    @rule(device=devices, turns=turns)
    def event(self, device: str, turns: int) -> None:
        self.last += 1
        self.say(device, "event", {"event": "device_event", "data": {"action": "x", "n": self.last}}, turns)

    @precondition(lambda self: len(self.broker.queue) < UNDER_WAY)
    @rule(device=devices, turns=turns)
    def number(self, device: str, turns: int) -> None:
        self.last += 1
        self.say(device, "state", {"state": {"n": self.last}}, turns)

    @precondition(lambda self: len(self.broker.queue) < UNDER_WAY)
    @rule(device=devices, on=st.booleans(), turns=turns)
    def flip(self, device: str, *, on: bool, turns: int) -> None:
        self.say(device, "state", {"state": {"on": on}}, turns)

    @precondition(lambda self: len(self.broker.queue) < UNDER_WAY)
    @rule(device=devices, session=sessions, turns=turns)
    def heartbeat(self, device: str, session: int | None, turns: int) -> None:
        self.say(device, "heartbeat", {"status": "online", "session": session}, turns)

    @precondition(lambda self: len(self.broker.queue) < UNDER_WAY)
    @rule(device=devices, session=sessions, turns=turns)
    def will(self, device: str, session: int | None, turns: int) -> None:
        self.say(device, "heartbeat", {"status": "offline", "session": session}, turns)

    @precondition(lambda self: len(self.broker.queue) < UNDER_WAY)
    @rule(device=devices, session=sessions, turns=turns)
    def handshake(self, device: str, session: int | None, turns: int) -> None:
        self.say(device, "handshake", {"type": "light", "firmwareVersion": "1", "session": session}, turns)

    @precondition(lambda self: len(self.broker.queue) < UNDER_WAY)
    @rule(device=devices, turns=turns)
    def retained(self, device: str, turns: int) -> None:
        event = b'{"event":"device_event","data":{"action":"x","n":-1}}'
        self.act(lambda: self.broker.publish(topic(device, "event"), event, RETAIN), turns)
        self.act(lambda: self.broker.publish(topic(device, "state"), b'{"state":{"n":-1}}', RETAIN), turns)

    def say(self, device: str, suffix: str, said: dict[str, Any], turns: int) -> None:
        self.sagas[device].says(suffix, said)
        self.act(lambda: self.broker.publish(topic(device, suffix), json.dumps(said).encode()), turns)

    # What goes wrong

    @rule(turns=turns)
    def repeat(self, turns: int) -> None:
        self.act(self.broker.repeat, turns)

    @rule()
    def lose_what_is_sent(self) -> None:
        self.broker.silent = True

    @rule()
    def lose_acknowledgements(self) -> None:
        self.broker.deaf = True

    @rule(turns=turns)
    def cut(self, turns: int) -> None:
        self.act(self.broker.cut, turns)

    @rule(turns=turns)
    def reconnect(self, turns: int) -> None:
        self.act(self.connect, turns)

    def connect(self) -> None:
        self.broker.cut()
        self.broker.connect(self.station.inbound)

    @rule(store_is_back=st.booleans())
    def kill(self, *, store_is_back: bool) -> None:
        self.kills += 1
        self.do(self._kill())
        for saga in self.sagas.values():
            saga.status = None
        if not store_is_back:
            self.station.store.trouble = StoreUnavailable()

    async def _kill(self) -> None:
        self.broker.cut()
        await self.station.kill()
        self.station.store.trouble, self.station.store.mute = None, False
        await self.station.start()

    @rule(turns=turns)
    def restart_broker_empty(self, turns: int) -> None:
        """Devices say again what they can't know to have come in."""
        self.forgot += 1
        self.act(self._forget, turns)

    def _forget(self) -> None:
        for lost in self.broker.forget():
            if not lost.flags & RETAIN:
                device, suffix = lost.topic.decode().split("/")[3:]
                said = json.loads(lost.payload)
                if suffix == "event":
                    self.sagas[device].repeatable.add(said["data"]["n"])
                self.sagas[device].says(suffix, said)
                self.broker.publish(lost.topic, lost.payload)
        self.connect()

    @rule(turns=st.integers(0, 60))
    def store_answers_after(self, turns: int) -> None:
        self.station.store.turns = turns

    @rule(mute=st.booleans())
    def store_goes(self, *, mute: bool) -> None:
        if mute:
            self.station.store.mute = True
        else:
            self.station.store.trouble = StoreUnavailable()

    @rule(seconds=st.integers(0, 3))
    def store_comes_back(self, seconds: int) -> None:
        self.station.store.trouble, self.station.store.mute = None, False
        self.do(self.station.ports.clock.advance(seconds))

    @rule(seconds=st.floats(0, 3))
    def time_goes_by(self, seconds: float) -> None:
        self.do(self.station.ports.clock.advance(seconds))

    # What holds

    @invariant()
    def nobody_is_wronged(self) -> None:
        assert self.broker.wrongs == []

    @invariant()
    def the_feed_tells_each_event_once_and_in_order(self) -> None:
        for device, saga in self.sagas.items():
            told = numbers(feed(self.station, device, "event_received"))
            first = list(dict.fromkeys(told))
            missing = set(saga.events) - set(told)

            assert first == sorted(first)
            assert {n for n in told if told.count(n) > 1} <= saga.repeatable
            assert missing <= self.held()
            assert set(told) <= set(saga.events)

    def held(self) -> set[int]:
        """The events that the broker holds still."""
        said = [json.loads(message.payload) for message in self.broker.queue if message.topic.endswith(b"/event")]
        return {one["data"]["n"] for one in said}

    def teardown(self) -> None:
        try:
            if hasattr(self, "station"):
                self.do(self.come_to_rest())
                self.everything_has_its_effect()
                self.do(self.station.kill())
        finally:
            self.runner.close()
            self.patch.undo()

    async def come_to_rest(self) -> None:
        store = self.station.store
        store.trouble, store.mute, store.turns = None, False, 0
        await self.station.ports.clock.advance(3)
        self.connect()
        await self.station.ports.clock.advance(3)

    def everything_has_its_effect(self) -> None:
        assert self.broker.queue == []
        self.nobody_is_wronged()
        self.the_feed_tells_each_event_once_and_in_order()
        for name, saga in self.sagas.items():
            saga.check(self.station, name, forgot=bool(self.forgot), killed=bool(self.kills))


def topic(device: str, suffix: str) -> bytes:
    return f"station/s/device/{device}/{suffix}".encode()


TestRedelivery = Redelivery.TestCase
TestRedelivery.settings = settings(max_examples=400, stateful_step_count=30, deadline=None)
