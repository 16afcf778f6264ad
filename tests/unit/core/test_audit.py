"""Who did what to whom: recorded with the change, or queued without anybody waiting."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.audit import MemoryAuditStore
from station_adapters.memory.chronicle import BOUND
from station_adapters.memory.clock import NEW_YEAR, MemoryClock, settled
from station_core.audit.model import (
    CLOUD,
    INSTALLER,
    KEPT_FOR,
    STATION,
    STRANGER,
    SYSTEM,
    Action,
    Actor,
    ActorKind,
    Deed,
    Subject,
    SubjectKind,
)
from station_core.audit.service import A_SECOND, AT_ONCE, BACK_OFF, BATCH, QUEUE_BOUND, Audit
from station_core.audit.unrecorded import Unrecorded
from station_core.errors import StationError, StoreFull, StoreUnavailable
from station_core.forgetting import CHECKED_EVERY, EVEN_FOR
from station_core.provisioning.model import Wifi
from tests.unit.core.living import STATION as STATION_ID
from tests.unit.core.living import kept, living

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home

ANNA = Actor(kind=ActorKind.USER, id="anna", name="anna@home.example")
RESTART = Deed(actor=ANNA, action=Action.RESTART_ASK, subject=STATION, at=NEW_YEAR)
FAILED = Deed(
    actor=STRANGER,
    action=Action.LOGIN,
    subject=Subject(kind=SubjectKind.USER),
    result="unauthenticated",
    at=NEW_YEAR,
)


class Desk:
    """The queue of an audit, and what came of it."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.store = MemoryAuditStore()
        self.audit = Audit(store=self.store, clock=self.clock)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(self.audit.run())
            try:
                yield
            finally:
                working.cancel()

    async def told(self) -> list[tuple[Action, object]]:
        """Oldest first: the action, and how many deeds it says are missing."""
        page = await self.store.records(limit=5_000)
        return [(record.deed.action, record.deed.detail.get("missing")) for record in reversed(page.items)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def told(ports: MemoryPorts) -> list[Deed]:
    return [record.deed for record in reversed((await ports.audit.records(limit=500)).items)]


async def test_what_is_noted_is_kept_in_order_and_drained_after(desk: Desk) -> None:
    deeds = [replace(RESTART, detail={"n": n}) for n in range(2 * BATCH + 1)]
    async with desk.at_work():
        for deed in deeds:
            desk.audit.note(deed)
        await desk.audit.drained()

    assert [record.deed for record in reversed((await desk.store.records(limit=500)).items)] == deeds
    assert desk.audit.dropped == 0


@pytest.mark.parametrize("trouble", [StoreUnavailable(), StoreFull()])
async def test_while_the_store_is_away_deeds_wait_and_are_kept_when_it_is_back(
    desk: Desk, trouble: StationError
) -> None:
    desk.store.trouble = trouble
    async with desk.at_work():
        desk.audit.note(RESTART)
        await desk.clock.advance(20 * BACK_OFF[1])
        desk.store.trouble = None
        await desk.clock.advance(BACK_OFF[1])

    assert await desk.told() == [(Action.RESTART_ASK, None)]


async def test_what_a_cancelled_run_left_the_next_one_keeps(desk: Desk) -> None:
    desk.store.trouble = StoreUnavailable()
    async with desk.at_work():
        desk.audit.note(RESTART)
        await settled()
    desk.store.trouble = None
    async with desk.at_work():
        await desk.audit.drained()

    assert await desk.told() == [(Action.RESTART_ASK, None)]


async def test_beyond_the_bound_deeds_are_dropped_counted_and_told_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(QUEUE_BOUND + 7):
        desk.audit.note(RESTART)
    async with desk.at_work():
        await desk.audit.drained()
        desk.audit.note(RESTART)
        await desk.audit.drained()

    assert desk.audit.dropped == 7
    assert [missing for action, missing in await desk.told() if action is Action.AUDIT_GAP] == [7]
    assert [record.message for record in caplog.records] == ["more is done than is recorded"]


async def test_who_fails_on_purpose_fills_no_disk(desk: Desk) -> None:
    async with desk.at_work():
        for _ in range(int(AT_ONCE) + 50):
            desk.audit.note(FAILED)
        await desk.audit.drained()
        desk.audit.note(RESTART)
        await desk.audit.drained()
        desk.clock.leap(1 / A_SECOND)
        for _ in range(3):
            desk.audit.note(FAILED)
        await desk.audit.drained()

    actions = [action for action, _ in await desk.told()]
    assert actions.count(Action.LOGIN) == AT_ONCE + 1
    assert actions.count(Action.RESTART_ASK) == 1
    assert desk.audit.dropped == 52


async def test_refusals_of_known_people_have_a_bound_of_their_own(desk: Desk) -> None:
    async with desk.at_work():
        for deed in (FAILED, replace(RESTART, result="forbidden")) * (int(AT_ONCE) + 5):
            desk.audit.note(deed)
        await desk.audit.drained()

    actions = [action for action, _ in await desk.told()]
    assert (actions.count(Action.LOGIN), actions.count(Action.RESTART_ASK)) == (AT_ONCE, AT_ONCE)
    assert desk.audit.dropped == 10


async def test_an_idle_year_lets_no_more_than_one_burst_in(desk: Desk) -> None:
    desk.clock.leap(365 * 86_400)
    async with desk.at_work():
        for _ in range(2 * int(AT_ONCE)):
            desk.audit.note(FAILED)
        await desk.audit.drained()

    assert [action for action, _ in await desk.told()].count(Action.LOGIN) == AT_ONCE


async def test_a_deed_that_can_never_be_kept_is_dropped_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async with desk.at_work():
        for result in ("a", "\0", "b"):
            desk.audit.note(replace(RESTART, result=result))
        await desk.audit.drained()
        desk.audit.note(replace(RESTART, result="c"))
        await desk.audit.drained()

    results = [record.deed.result for record in reversed((await desk.store.records()).items)]
    assert [result for result in results if result != "done"] == ["a", "b", "c"]
    assert desk.audit.dropped == 1
    assert "can't keep" in caplog.text


async def test_a_memory_of_deeds_is_bounded(desk: Desk) -> None:
    await desk.store.keep([RESTART] * (BOUND + 3))
    page = await desk.store.records(limit=1)

    assert page.items[0].number == BOUND + 3
    assert len((await desk.store.records(limit=2 * BOUND)).items) == BOUND


async def test_a_home_without_a_store_for_it_records_nothing() -> None:
    nothing = Unrecorded()
    await nothing.keep([RESTART])

    assert (await nothing.records()).items == ()
    assert await nothing.forget_records(before=NEW_YEAR, limit=1) == 0


async def test_records_are_forgotten_after_half_a_year(ports: MemoryPorts, home: Home) -> None:
    await ports.audit.keep([RESTART])
    left = []
    for days in (KEPT_FOR.days - 1, 2):
        ports.clock.leap(days * 86_400)
        for _ in range(2 * int(EVEN_FOR / CHECKED_EVERY)):
            ports.clock.leap(CHECKED_EVERY)
            await home.forgetting.forget()
        left.append(len(await told(ports)))

    assert left == [1, 0]


async def test_what_people_do_to_devices_and_zones_is_recorded_under_their_name(ports: MemoryPorts, home: Home) -> None:
    hall = await home.zones.add("Hall", by=ANNA)
    lamp, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light", by=ANNA)
    await home.household.update(lamp.id, name="Sun", zone_id=hall.id, by=ANNA)
    await home.household.revoke(lamp.id, by=INSTALLER)
    await home.household.renew(lamp.id, by=ANNA)
    await home.zones.rename(hall.id, "Halle", by=ANNA)
    await home.zones.remove(hall.id, by=ANNA)
    await home.household.remove(lamp.id)
    await home.zones.named("Attic", by=ANNA)
    await home.network.tell(Wifi(ssid="home", password="canary-password"), by=ANNA)

    done = [(deed.actor, deed.action, deed.subject.name, dict(deed.detail)) for deed in await told(ports)]
    assert done == [
        (ANNA, Action.ZONE_ADD, "Hall", {}),
        (ANNA, Action.DEVICE_ADD, "Lamp", {"externalId": "lamp", "type": "light"}),
        (ANNA, Action.DEVICE_UPDATE, "Lamp", {"name": "Sun", "zoneId": hall.id}),
        (INSTALLER, Action.CREDENTIALS_REVOKE, "Sun", {}),
        (ANNA, Action.CREDENTIALS_RENEW, "Sun", {}),
        (ANNA, Action.ZONE_UPDATE, "Hall", {"name": "Halle"}),
        (ANNA, Action.ZONE_REMOVE, "Halle", {}),
        (SYSTEM, Action.DEVICE_REMOVE, "Sun", {"externalId": "lamp", "type": "light"}),
        (ANNA, Action.ZONE_ADD, "Attic", {}),
        (ANNA, Action.WIFI_CHANGE, None, {"ssid": "home"}),
    ]


async def test_what_the_store_refuses_is_not_recorded(ports: MemoryPorts, home: Home) -> None:
    await home.zones.add("Hall", by=ANNA)
    ports.store.trouble = StoreUnavailable()
    with suppress(StoreUnavailable):
        await home.zones.add("Attic", by=ANNA)
    ports.store.trouble = None
    with suppress(StationError):
        await home.zones.add("HALL", by=ANNA)

    assert [deed.subject.name for deed in await told(ports)] == ["Hall"]


@pytest.mark.parametrize(
    ("actor", "recorded"),
    [
        (ANNA, True),
        (INSTALLER, True),
        (CLOUD, True),
        (SYSTEM, False),
        (Actor(kind=ActorKind.AUTOMATION, id="evening"), False),
    ],
    ids=str,
)
async def test_commands_by_people_are_recorded_without_their_parameters(
    ports: MemoryPorts, home: Home, actor: Actor, *, recorded: bool
) -> None:
    lamp = await living(home)
    await kept(home.devices.heartbeat("lamp", station_id=STATION_ID))
    before = len(await told(ports))
    command_id = await home.commands.send(lamp.id, {"action": "set_brightness", "brightness": 7}, actor=actor)
    await home.journal.drained()

    deeds = (await told(ports))[before:]
    detail = {"action": "set_brightness", "commandId": command_id}
    expected = [(actor, Action.DEVICE_COMMAND, lamp.id, detail)] if recorded else []
    assert [(deed.actor, deed.action, deed.subject.id, dict(deed.detail)) for deed in deeds] == expected
