"""What goes up over a real link, cut at any byte of it."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from station_adapters.cloud.link import CloudLink
from station_adapters.memory.clock import MemoryRandomness
from station_adapters.memory.home import MemoryPorts
from station_app.cloud import service
from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import StandInCloud
from station_core.cloud.letters import FRONT
from station_core.cloud.liaison import Liaison
from station_core.home import Home
from tests.contract.cloud_rig import KNOWN, HastyClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.cloud.letters import Waiting

EVENTS: Final = 60
CUTS: Final = 8
HELLO: Final = 600  # bytes: more than it takes to open the link
WITHIN: Final = 60.0  # seconds


class Ends:
    """A home and its cloud; the link comes and goes."""

    def __init__(self, home: Home, cloud: StandInCloud, record: Record) -> None:
        self.home = home
        self.cloud = cloud
        self._record = record

    @property
    def heard(self) -> list[tuple[str, dict[str, Any]]]:
        """The notifications."""
        frames = [frame for frame in self._record.frames() if isinstance(frame, dict) and "method" in frame]
        return [(frame["method"], frame["params"]) for frame in frames]

    @property
    def presses(self) -> list[int]:
        return [params["data"]["n"] for method, params in self.heard if method == "device.eventReceived"]

    async def press(self, first: int, count: int) -> None:
        for n in range(first, first + count):
            self.home.devices.receive_event("pir", "user_event", {"action": "press", "n": n})
            self.home.devices.report_state("pir", {"presses": n})
        await self.home.journal.drained()

    async def cut_after(self, size: int) -> None:
        """Return when a connection has ended after it had heard so many bytes."""
        self.cloud.cut_after_heard = size
        for link in self.cloud.links:
            link.cut()
        before = self.cloud.connections
        async with asyncio.timeout(WITHIN):
            await self.cloud.until(lambda: self.cloud.connections > before and not self.cloud.links)

    async def waiting(self) -> list[Waiting]:
        return list(await self.home.outbox.waiting(after=FRONT, limit=10_000))

    async def arrived(self) -> None:
        """Return when nothing waits any more."""
        async with asyncio.timeout(WITHIN):
            while await self.waiting():  # noqa: ASYNC110  # what is waited for has no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def ends() -> AsyncIterator[Ends]:
    ports, clock, record = MemoryPorts(), HastyClock(50), Record()
    home = Home(
        store=ports.store,
        identities=ports.identities,
        link=ports.link,
        door=ports.door,
        passwords=ports.passwords,
        tokens=ports.tokens,
        clock=clock,
        randomness=MemoryRandomness(),
        station_id="station",
        cloud_store=ports.cloud,
        outbox=ports.outbox,
    )
    cloud = StandInCloud(record)
    await home.load()
    async with cloud.serving() as port, asyncio.TaskGroup() as group:
        running = group.create_task(home.run())
        await home.claim.claimed(KNOWN, by=home.claim.standing)
        await home.household.add(external_id="pir", name="Pir", type_id="pir")
        liaison = Liaison(
            claim=home.claim, board=home.cloud, health=home.health, clock=clock, luck=lambda: 0.0, verified=False
        )
        pair = Ends(home, cloud, record)
        await pair.press(0, EVENTS)
        link = CloudLink(
            url=f"ws://127.0.0.1:{port}",
            tls=None,
            liaison=liaison,
            claim=home.claim,
            service=service(home),
            clock=clock,
        )
        linked = group.create_task(link.run())
        try:
            yield pair
        finally:
            linked.cancel()
            running.cancel()


async def test_what_waited_and_what_happens_arrives_once_and_in_order() -> None:
    async with ends() as pair:
        await pair.arrived()
        await pair.press(EVENTS, 20)
        await pair.arrived()

    assert pair.presses == list(range(EVENTS + 20))
    assert len({params["eventId"] for _, params in pair.heard}) == len(pair.heard)


@pytest.mark.parametrize("step", [97, 997])
async def test_cut_after_any_byte_nothing_is_lost_and_what_comes_twice_is_the_same(step: int) -> None:
    async with ends() as pair:
        for n in range(CUTS):
            await pair.cut_after(HELLO + n * step)
            await pair.press(EVENTS + n, 1)
        pair.cloud.mend()
        await pair.arrived()
        count = EVENTS + CUTS
    first_times = list(dict.fromkeys(n for n in pair.presses if n < EVENTS))
    by_id: dict[str, Any] = {}
    for method, params in pair.heard:
        told = (method, {key: value for key, value in params.items() if key != "late"})

        assert by_id.setdefault(params["eventId"], told) == told
    assert sorted(set(pair.presses)) == list(range(count))
    assert first_times == list(range(EVENTS))
    states = [params["state"]["presses"] for method, params in pair.heard if method == "device.stateChanged"]
    assert states[-1] == count - 1


async def test_methods_are_served_over_the_link() -> None:
    async with ends() as pair:
        await pair.arrived()
        snapshot = await pair.cloud.link.call("devices.snapshot")
        types = await pair.cloud.link.call("device_types.list")
        [shown] = snapshot["result"]["devices"]
        refused = await pair.cloud.link.call("device.command", {"deviceId": shown["id"], "command": "fly"})
        malformed = await pair.cloud.link.call("device.command", [])
        pair.home.presence.hearing()
        sent = await pair.cloud.link.call("device.command", {"deviceId": shown["id"], "command": "reboot"})

    assert (shown["externalId"], shown["lastKnownState"]) == ("pir", {"presses": EVENTS - 1})
    assert {kind["id"] for kind in types["result"]["deviceTypes"]} >= {"pir", "light"}
    assert (refused["error"]["code"], refused["error"]["data"]["code"]) == (-32602, "command_invalid")
    assert (malformed["error"]["code"], malformed["error"]["data"]["code"]) == (-32602, "malformed")
    assert sent["result"] == {"status": "ok"}


async def test_after_the_answer_nothing_of_a_removed_channel_comes() -> None:
    async with ends() as pair:
        async with asyncio.timeout(WITHIN):
            await pair.cloud.until(lambda: bool(pair.presses))
        answer = await pair.cloud.link.call("station.setActiveChannels", {"channels": ["state"]})
        heard = len(pair.presses)
        await pair.press(EVENTS, 20)
        await pair.arrived()
        states = [params["state"]["presses"] for method, params in pair.heard if method == "device.stateChanged"]

    assert answer["result"] == {"ok": True}
    assert len(pair.presses) == heard
    assert [n for n, _ in itertools.groupby(states)][-1] == EVENTS + 19
