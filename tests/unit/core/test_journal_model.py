"""
The journal against a broker that brings again what wasn't acknowledged, a store that fails, and power cuts.

Whatever happens, each message is kept once, in order, and acknowledged only when it is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.shelf import Desk, Fate, Shelf

if TYPE_CHECKING:
    from asyncio import Future

    from station_core.journal import Batch

Steps: TypeAlias = "list[tuple[str, int | Fate]]"


def steps(*more: str) -> st.SearchStrategy[Steps]:
    """Names of the methods of `Scene`, and how much of it; mostly talk, or there is nothing to lose."""
    names = st.sampled_from(["say", "turn"] * 4 + ["pass_by", "wait", "restart_the_run", *more, *more])
    fates = st.sampled_from([Fate.AWAY, Fate.ANSWER_LOST])
    return st.lists(
        st.one_of(st.tuples(names, st.integers(1, 6)), st.tuples(st.just("fail"), fates)), min_size=10, max_size=60
    )


class Broker:
    """A sender at QoS 1: what isn't acknowledged comes again, in order, marked as repeated."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.unacknowledged: dict[int, str] = {}
        self.said: list[str] = []
        self.too_early = 0
        self.desk = Desk(shelf=shelf)

    def say(self) -> None:
        packet_id = len(self.said) + 1
        word = str(packet_id)
        self.said.append(word)
        self.unacknowledged[packet_id] = word
        self._deliver(packet_id, word, again=False)

    def reconnect(self) -> None:
        """The station began anew: a journal that knows only what the store holds."""
        self.desk = Desk(shelf=self._shelf)
        self.desk.journal.resume(self._shelf.last_number, self._shelf.deliveries)
        for packet_id, word in list(self.unacknowledged.items()):
            self._deliver(packet_id, word, again=True)

    def _deliver(self, packet_id: int, word: str, *, again: bool) -> None:
        desk, delivery = self.desk, (packet_id, 0)
        receipt: Batch[str]
        if again and desk.journal.delivered(delivery):
            receipt = desk.journal.pass_by()
        else:
            receipt = desk.journal.append(word, delivery)

        def acknowledge(_: Future[None]) -> None:
            if desk is self.desk:  # an acknowledgement of a station that is no more reaches nobody
                self.too_early += not (word in self._shelf.words or word in self._shelf.poison)
                del self.unacknowledged[packet_id]

        receipt.done.add_done_callback(acknowledge)


class Scene:
    """What may happen to a station, one method each."""

    def __init__(self, shelf: Shelf, group: asyncio.TaskGroup) -> None:
        self.broker = Broker(shelf)
        self._shelf = shelf
        self._group = group
        self._running = group.create_task(self.broker.desk.journal.run())

    async def say(self, times: int) -> None:
        for _ in range(times):
            self.broker.say()

    async def pass_by(self, times: int) -> None:
        for _ in range(times):
            self.broker.desk.journal.pass_by()

    async def turn(self, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    async def fail(self, fate: Fate) -> None:
        self._shelf.fates.append(fate)

    async def wait(self, seconds: float) -> None:
        await self.broker.desk.clock.advance(seconds)

    async def restart_the_run(self, turns: int) -> None:
        self._running.cancel()
        await self.turn(turns)
        self._running = self._group.create_task(self.broker.desk.journal.run())

    async def cut_the_power(self, turns: int) -> None:
        self._running.cancel()
        self.broker.reconnect()
        await self.turn(turns)
        self._running = self._group.create_task(self.broker.desk.journal.run())

    async def end(self) -> None:
        drained = self._group.create_task(self.broker.desk.journal.drained())
        while not drained.done():
            await self.wait(10)
        self._running.cancel()


async def play(steps: Steps, shelf: Shelf) -> Broker:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        scene = Scene(shelf, group)
        for name, amount in steps:
            await getattr(scene, name)(amount)
        await scene.end()
    return scene.broker


@given(steps("cut_the_power"))
@settings(max_examples=150, deadline=None)
async def test_nothing_is_lost_doubled_or_out_of_order_whatever_fails(happens: Steps) -> None:
    shelf = Shelf()

    broker = await play(happens, shelf)

    assert shelf.words == broker.said
    assert broker.unacknowledged == {}
    assert broker.too_early == 0


@given(steps(), st.sets(st.integers(1, 30), max_size=8))
@settings(max_examples=150, deadline=None)
async def test_what_can_never_be_kept_is_all_that_is_missing(happens: Steps, poison: set[int]) -> None:
    shelf = Shelf({str(n) for n in poison})

    broker = await play(happens, shelf)

    assert shelf.words == broker.desk.told == [word for word in broker.said if word not in shelf.poison]
    assert broker.desk.refused == [word for word in broker.said if word in shelf.poison]
    assert broker.unacknowledged == {}
    assert broker.too_early == 0
    assert broker.desk.journal.trouble is None
