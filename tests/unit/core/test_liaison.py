from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import MemoryClock, MemoryRandomness, settled
from station_adapters.memory.cloud import MemoryCloudStore
from station_core.cloud.claim import Claim
from station_core.cloud.liaison import Liaison
from station_core.cloud.nowhere import NoOutbox
from station_core.cloud.session import Authenticate, Close, Introduce, Serve
from station_core.cloud.status import CloudBoard, Mode
from station_core.errors import ClaimSealed, StoreUnavailable
from station_core.events import EventBus
from station_core.health import CLOUD, Health

if TYPE_CHECKING:
    from station_core.cloud.model import Standing


class Scene:
    """A liaison over memory, with luck in the middle: no jitter, and a first attempt after 1 s."""

    def __init__(self, *, verified: bool = True) -> None:
        self.clock = MemoryClock()
        self.store = MemoryCloudStore()
        self.health = Health(EventBus(), self.clock)
        self.claim = Claim(
            store=self.store, clock=self.clock, randomness=MemoryRandomness(), station_id="10000000a1b2c3d4"
        )
        self.board = CloudBoard(claim=self.claim, outbox=NoOutbox(), clock=self.clock)
        self.liaison = Liaison(
            claim=self.claim,
            board=self.board,
            health=self.health,
            clock=self.clock,
            luck=lambda: 0.5,
            verified=verified,
        )

    async def claimed(self) -> None:
        await self.claim.claimed("st_1", by=self.claim.standing)

    async def due_after(self) -> float:
        """Seconds until the next attempt is due; an hour and more is looked through."""
        async with asyncio.TaskGroup() as group:
            due = group.create_task(self.liaison.due())
            began = self.clock.monotonic()
            await settled()
            while not due.done():
                await self.clock.advance(1)
                assert self.clock.monotonic() - began < 5000, "It's never due."
            return self.clock.monotonic() - began

    @property
    def kept(self) -> Standing:
        return self.claim.standing


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.claim.load()
    return scene


async def test_a_station_is_claimed_and_then_served(scene: Scene) -> None:
    assert await scene.due_after() == 1.0
    assert scene.health.parts[CLOUD].detail == "Not connected to the cloud."

    assert scene.liaison.connected() == [Introduce()]
    assert scene.liaison.code == scene.claim.code
    assert [type(order) for order in scene.liaison.claim_succeeded("st_1")] == [Close]
    scene.liaison.closed(1000, "closed")
    assert await scene.due_after() == 0

    assert scene.kept.config is not None
    assert scene.liaison.connected() == [Authenticate()]
    assert scene.liaison.token == "st_1"
    assert scene.liaison.accepted() == [Serve()]
    assert scene.health.parts[CLOUD].up
    status = scene.board.status
    assert (status.mode, status.reconnects, status.last_error) == (Mode.AUTHENTICATED, 1, None)
    assert status.connected_since == scene.clock.now()


async def test_a_claim_is_kept_once_the_store_is_back_and_no_connection_is_opened_before(scene: Scene) -> None:
    await scene.due_after()
    scene.liaison.connected()
    scene.store.trouble = StoreUnavailable()
    scene.liaison.claim_succeeded("st_1")
    scene.liaison.closed(1000, "closed")

    async with asyncio.TaskGroup() as group:
        due = group.create_task(scene.liaison.due())
        await scene.clock.advance(100)
        assert not due.done()
        assert scene.health.parts[CLOUD].detail == "The database can't answer now."
        scene.store.trouble = None
        await scene.clock.advance(30)

    assert scene.kept.config is not None
    assert scene.kept.config.station_token == "st_1"


async def test_a_claim_by_a_secret_that_is_none_any_more_is_dropped(scene: Scene) -> None:
    await scene.due_after()
    scene.liaison.connected()
    scene.liaison.claim_succeeded("st_1")
    scene.liaison.closed(1000, "closed")
    await scene.store.unclaim(fresh_secret="another")  # by another program

    assert await scene.due_after() == 2
    assert scene.kept.config is None
    assert scene.liaison.mode is Mode.UNCLAIMED


async def test_a_token_that_can_be_none_is_dropped(scene: Scene) -> None:
    await scene.due_after()
    scene.liaison.connected()
    scene.liaison.claim_succeeded("")
    scene.liaison.closed(1000, "closed")

    assert await scene.due_after() == 2
    assert scene.liaison.connected() == [Introduce()]


async def test_an_unclaim_before_the_claim_is_kept_wins(scene: Scene) -> None:
    await scene.due_after()
    scene.liaison.connected()
    scene.liaison.claim_succeeded("st_1")
    await scene.claim.unclaim()
    scene.liaison.closed(1000, "closed")

    assert await scene.due_after() == 0
    assert scene.kept.config is None
    assert scene.liaison.connected() == [Introduce()]


async def test_a_verified_cloud_lets_the_station_go(scene: Scene) -> None:
    await scene.claimed()
    await scene.due_after()
    scene.liaison.connected()

    assert [type(order) for order in scene.liaison.denied("pending_reset")] == [Close]
    scene.liaison.closed(1000, "closed")
    assert await scene.due_after() == 2
    assert scene.kept.config is None
    assert scene.liaison.connected() == [Introduce()]


async def test_a_cloud_that_is_not_verified_lets_nobody_go() -> None:
    scene = Scene(verified=False)
    await scene.claim.load()
    await scene.claimed()
    await scene.due_after()
    scene.liaison.connected()
    scene.liaison.denied("pending_reset")
    scene.liaison.closed(1000, "closed")

    assert await scene.due_after() == 60
    assert scene.kept.config is not None
    assert scene.board.status.mode is Mode.REFUSED


async def test_what_was_let_go_meanwhile_is_not_let_go_twice(scene: Scene) -> None:
    await scene.claimed()
    await scene.due_after()
    scene.liaison.connected()
    scene.liaison.denied("pending_reset")
    scene.liaison._by = scene.claim._become(scene.kept.__class__(claim_secret="a"))  # as after a claim that was undone
    scene.liaison.closed(1000, "closed")

    await scene.due_after()
    assert scene.kept.claim_secret == "a"


async def test_an_owners_unclaim_ends_the_link_and_the_wait_for_the_next(scene: Scene) -> None:
    await scene.claimed()
    await scene.due_after()
    scene.liaison.connected()
    async with asyncio.TaskGroup() as group:
        overtaken = group.create_task(scene.liaison.overtaken())
        await scene.claim.unclaim()
    assert [type(order) for order in overtaken.result()] == [Close]
    scene.liaison.closed(1000, "closed")
    assert await scene.due_after() == 0

    scene.liaison.failed("no route")
    async with asyncio.TaskGroup() as group:
        due = group.create_task(scene.liaison.due())
        await settled()
        assert not due.done()
        await scene.claim.unclaim()
    assert scene.liaison.mode is Mode.UNCLAIMED


async def test_a_station_that_is_being_reset_has_no_link_until_it_is_done(scene: Scene) -> None:
    await scene.claimed()
    await scene.claim.begin_reset(["d1"])

    async with asyncio.TaskGroup() as group:
        due = group.create_task(scene.liaison.due())
        await scene.clock.advance(100)
        assert not due.done()
        assert scene.liaison.mode is Mode.RESET
        await scene.claim.end_reset(scene.claim.standing)
        await scene.clock.advance(1)
    assert scene.liaison.connected() == [Introduce()]


async def test_a_silent_cloud_is_left(scene: Scene) -> None:
    await scene.claimed()
    await scene.due_after()
    scene.liaison.connected()
    await scene.clock.advance(29)
    assert scene.liaison.ticked() == []
    await scene.clock.advance(1)

    assert [type(order) for order in scene.liaison.ticked()] == [Close]


async def test_a_cloud_that_stays_away_for_one_reason_is_told_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await scene.due_after()
    scene.liaison.failed("no route")
    await scene.claimed()
    await scene.due_after()
    for _ in range(3):
        scene.liaison.failed("no route")
    scene.liaison.failed("refused")

    assert [(record.levelname, getattr(record, "reason", None)) for record in caplog.records] == [
        ("INFO", "no route"),
        ("WARNING", "no route"),
        ("WARNING", "refused"),
    ]
    assert scene.health.parts[CLOUD].detail == "Not connected to the cloud. refused"
    assert scene.board.status.last_error == "refused"


async def test_a_link_that_goes_is_told_by_the_health_alone(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    await scene.claimed()
    await scene.due_after()
    scene.liaison.connected()
    scene.liaison.accepted()
    scene.liaison.closed(1006, "cut")

    assert [record.message for record in caplog.records] == ["part is lost"]


async def test_a_claim_that_cannot_be_read_holds_no_link_until_a_person_gives_it_up() -> None:
    scene = Scene()
    await scene.claim.load()
    await scene.claimed()
    scene.store.lose_key()
    await scene.claim.load()
    async with asyncio.TaskGroup() as group:
        due = group.create_task(scene.liaison.due())
        await settled()
        await scene.clock.advance(4000)
        status, detail, waits = scene.board.status, scene.health.parts[CLOUD].detail, not due.done()
        await scene.claim.unclaim()

    assert waits
    assert (status.mode, status.last_error) == (Mode.CLAIMED, ClaimSealed.fact)
    assert status.claimed_at is not None
    assert ClaimSealed.fact in detail
    assert scene.liaison.connected() == [Introduce()]
    assert scene.liaison.code == scene.claim.code
