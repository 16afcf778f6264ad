"""The schedules of tests/unit/mqtt/test_schedules.py over a real broker, through the fault proxy."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest

from station_core.errors import StoreUnavailable
from tests.contract.http_rig import until
from tests.contract.test_redelivery import Rig, household, topic
from tests.unit.mqtt.saga import DEVICES, Saga, feed, numbers
from tests.unit.mqtt.schedules import schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Replay:
    """What each step is where brokers, sockets and time are real; *turns* are of the scripted broker's loop alone."""

    def __init__(self, rig: Rig, client: aiomqtt.Client) -> None:
        self._rig = rig
        self._client = client
        self._last = 0
        self.killed = False
        self.sagas = {device: Saga() for device in DEVICES}

    # What devices say

    async def event(self, device: str, turns: int = 0) -> None:  # noqa: ARG002  # see the class
        self._last += 1
        await self._say(device, "event", {"event": "device_event", "data": {"action": "x", "n": self._last}})

    async def number(self, device: str, turns: int) -> None:  # noqa: ARG002
        self._last += 1
        await self._say(device, "state", {"state": {"n": self._last}})

    async def flip(self, device: str, turns: int, *, on: bool) -> None:  # noqa: ARG002
        await self._say(device, "state", {"state": {"on": on}})

    async def heartbeat(self, device: str, turns: int, session: int | None) -> None:  # noqa: ARG002
        await self._say(device, "heartbeat", {"status": "online", "session": session})

    async def will(self, device: str, turns: int, session: int | None) -> None:  # noqa: ARG002
        await self._say(device, "heartbeat", {"status": "offline", "session": session})

    async def handshake(self, device: str, turns: int, session: int | None) -> None:  # noqa: ARG002
        await self._say(device, "handshake", {"type": "light", "firmwareVersion": "1", "session": session})

    async def _say(self, device: str, suffix: str, said: dict[str, Any]) -> None:
        self.sagas[device].says(suffix, said)
        await self._client.publish(topic(device, suffix), json.dumps(said), qos=1)

    # What goes wrong

    async def lose_what_is_sent(self) -> None:
        self._rig.proxy.down.swallowing = True

    async def lose_acknowledgements(self) -> None:
        self._rig.proxy.up.swallowing = True

    async def cut(self, turns: int = 0) -> None:  # noqa: ARG002
        self._rig.reachable.clear()
        await self._break()
        await self._rig.down()

    async def reconnect(self, turns: int = 0) -> None:  # noqa: ARG002
        await self.cut()
        self._rig.reachable.set()
        await self._rig.up()

    async def kill(self, *, store_is_back: bool) -> None:
        self.killed = True
        await self._rig.kill()
        await self._break()
        store = self._rig.station.store
        store.trouble, store.mute = None, False
        await self._rig.start()
        for saga in self.sagas.values():
            saga.status = None
        if not store_is_back:
            store.trouble = StoreUnavailable()

    async def store_answers_after(self, turns: int) -> None:
        self._rig.station.store.turns = turns

    async def store_goes(self, *, mute: bool) -> None:
        if mute:
            self._rig.station.store.mute = True
        else:
            self._rig.station.store.trouble = StoreUnavailable()

    async def store_comes_back(self, seconds: float) -> None:
        self._rig.station.store.trouble, self._rig.station.store.mute = None, False
        await self._rig.station.ports.clock.advance(seconds)

    async def _break(self) -> None:
        """End the connections, and what they lost with them."""
        await self._rig.proxy.reset()
        self._rig.proxy.up.swallowing = self._rig.proxy.down.swallowing = False

    # What holds

    async def come_to_rest(self) -> None:
        """Everything is well again, and all that was said has come in."""
        await self.store_comes_back(3)
        await self.reconnect()
        for device in DEVICES:
            await self.event(device)  # what comes again comes before it
        await until(lambda: all(self.told(name)[-1:] == saga.events[-1:] for name, saga in self.sagas.items()))

    def told(self, device: str) -> list[int]:
        return numbers(feed(self._rig.station, device, "event_received"))


@asynccontextmanager
async def replay() -> AsyncIterator[tuple[Rig, Replay]]:
    async with household(0, said_before=False) as rig, aiomqtt.Client(rig.broker.host, rig.broker.port) as client:
        yield rig, Replay(rig, client)


@pytest.mark.parametrize("seed", range(12))
async def test_each_schedule_has_its_effect_once(seed: int) -> None:
    async with replay() as (rig, story):
        for step in schedule(seed):
            await getattr(story, step.name)(**step.arguments)
        await story.come_to_rest()
        told = {name: story.told(name) for name in DEVICES}
        for name, saga in story.sagas.items():
            saga.check(rig.station, name, killed=story.killed)

    assert told == {name: saga.events for name, saga in story.sagas.items()}
