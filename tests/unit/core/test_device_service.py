from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, TypeAlias

import pytest

from station_adapters.memory.clock import settled
from station_core.devices.activity import ActivityFilter
from station_core.devices.events import (
    DeviceEventReceived,
    DeviceStateChanged,
    DeviceStatusChanged,
)
from station_core.devices.model import Introduction, Status
from station_core.devices.ports import DeviceChange
from station_core.devices.types import TYPES, unknown_type
from station_core.errors import DeviceUnknown, Malformed, StoreFull, StoreUnavailable
from station_core.home import Home
from station_core.journal import JOURNAL_BOUND, Batch
from station_core.values import INT_BOUND, MAX_KEYS
from tests.unit.core.living import PORTRAIT, STATION, kept, kinds, listening, living

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.values import Value

Message: TypeAlias = Callable[[Home], Batch[DeviceChange]]

MESSAGES: dict[str, Message] = {
    "report": lambda home: home.devices.report_state("lamp", {"on": True}, station_id=STATION),
    "event": lambda home: home.devices.receive_event("lamp", "user_event", {"action": "press"}, station_id=STATION),
    "heartbeat": lambda home: home.devices.heartbeat("lamp", station_id=STATION),
    "handshake": lambda home: home.devices.handshake("lamp", PORTRAIT, station_id=STATION),
}
any_message = pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())


@any_message
async def test_any_message_shows_that_the_device_is_there(home: Home, message: Message) -> None:
    device = await living(home)
    told = home.bus.subscribe(DeviceStatusChanged, bound=10)

    await kept(message(home))
    await kept(message(home))

    assert home.household.device(device.id).status is Status.ONLINE
    assert home.household.device(device.id).station_id == STATION
    assert [event.status for event in told.take()] == [Status.ONLINE]


async def test_a_reports_change_is_whole_and_frozen(home: Home) -> None:
    await living(home)

    [change] = home.devices.report_state("lamp", {"brightness": 7}).changes[-1:]

    assert change == DeviceChange(change.device, change.events, ())
    assert [type(event) for event in change.events][-1:] == [DeviceStateChanged]
    with pytest.raises(FrozenInstanceError):
        change.deeds = ()  # type: ignore[misc]  # that's what is tried


@any_message
async def test_a_device_that_memory_does_not_know_is_refused(home: Home, message: Message) -> None:
    with pytest.raises(DeviceUnknown):
        message(home)


@any_message
async def test_while_the_journal_is_full_nothing_is_taken_in_and_nothing_changes(
    ports: MemoryPorts, home: Home, message: Message
) -> None:
    device = await living(home)
    ports.store.trouble = StoreFull()
    for _ in range(JOURNAL_BOUND // 2):
        home.devices.report_state("lamp", {"on": False})
    await settled()
    before, beat = home.household.device(device.id), home.registry.known(device.id).seen

    with pytest.raises(StoreFull):
        message(home)

    assert home.household.device(device.id) is before
    assert home.registry.known(device.id).seen == beat


async def test_a_report_is_told_after_it_was_kept(ports: MemoryPorts, home: Home) -> None:
    await living(home)
    ports.store.trouble = StoreUnavailable()
    told = listening(home)

    receipt = home.devices.report_state("lamp", {"on": True})
    await settled()
    assert "DeviceStateChanged" not in kinds(told.take())
    ports.store.trouble = None
    await ports.clock.advance(2)

    assert receipt.done.done()
    assert "DeviceStateChanged" in kinds(told.take())


async def test_every_report_yields_its_own_event_in_order_also_when_nothing_changed(home: Home) -> None:
    await living(home)
    told = home.bus.subscribe(DeviceStateChanged, bound=10)

    receipts = [home.devices.report_state("lamp", {"brightness": n}) for n in (1, 1, 2)]
    await kept(receipts[-1])

    assert [event.state for event in told.take()] == [{"brightness": 1}, {"brightness": 1}, {"brightness": 2}]


async def test_reports_survive_a_restart_but_nobody_is_online_then(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        device = await living(home)
        await kept(home.devices.report_state("lamp", {"on": True}))
    async with ports.running() as home:
        told = listening(home)
        await settled()
        after = home.household.device(device.id)

    assert (after.state, after.status) == ({"on": True}, Status.OFFLINE)
    assert told.take() == []
    assert [line.payload for line in (await ports.store.activities()).items] == [{"status": "online"}]


@pytest.mark.parametrize("report", [{"a": math.nan}, {"a\0": 1}, {"a": INT_BOUND}, {"a": "x" * 5_000}], ids=str)
async def test_what_is_no_value_is_refused_whole(home: Home, report: dict[str, Value]) -> None:
    device = await living(home)

    with pytest.raises(Malformed):
        home.devices.report_state("lamp", {"on": True, **report})

    assert home.household.device(device.id).state == {}
    assert home.household.device(device.id).status is Status.OFFLINE


async def test_a_report_that_would_give_the_state_too_many_keys_is_refused(home: Home) -> None:
    device = await living(home)
    home.devices.report_state("lamp", {str(n): n for n in range(MAX_KEYS)})

    home.devices.report_state("lamp", {"7": 0})
    with pytest.raises(Malformed):
        home.devices.report_state("lamp", {"one more": 0})

    assert len(home.household.device(device.id).state) == MAX_KEYS


async def test_the_merged_state_may_be_as_large_as_a_message_and_no_larger(home: Home) -> None:
    await living(home)
    for n in range(15):
        home.devices.report_state("lamp", {f"key{n:02}": "x" * 4_000})

    for _ in range(20):
        home.devices.report_state("lamp", {"key00": "y" * 4_000})
    home.devices.report_state("lamp", {"list": [1] * 2_000})
    with pytest.raises(Malformed):
        home.devices.report_state("lamp", {"key15": "x" * 4_000})


async def test_an_event_is_kept_and_told_with_its_data(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    told = home.bus.subscribe(DeviceEventReceived, bound=10)

    await kept(home.devices.receive_event("lamp", "user_event", {"action": "odd", "count": 2}))

    assert [(e.device_name, e.event, e.data) for e in told.take()] == [
        ("Lamp", "user_event", {"action": "odd", "count": 2})
    ]
    assert (await ports.store.activities(ActivityFilter(device_id=device.id))).items[0].payload == {
        "event": "user_event",
        "data": {"action": "odd", "count": 2},
    }


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("other", {"action": "press"}),
        ("user_event", {}),
        ("user_event", {"action": 1}),
        ("user_event", {"action": "a", "b": math.inf}),
    ],
    ids=str,
)
async def test_an_event_of_another_shape_is_malformed(home: Home, event: str, data: dict[str, Value]) -> None:
    await living(home)

    with pytest.raises(Malformed):
        home.devices.receive_event("lamp", event, data)


async def test_the_heartbeat_time_is_written_once_a_minute_and_at_once_when_there_is_news(
    ports: MemoryPorts, home: Home
) -> None:
    await living(home)
    commits = []
    for minutes, session, station_id in [(0, 1, "a"), (0.5, 1, "a"), (1, 1, "a"), (1.1, 2, "a"), (1.2, 2, "b")]:
        await ports.clock.advance(60 * minutes - ports.clock.monotonic())
        await kept(home.devices.heartbeat("lamp", session=session, station_id=station_id))
        commits.append(home.journal.commits)

    assert commits == [1, 1, 2, 3, 4]


async def test_a_heartbeat_with_an_impossible_session_is_malformed(home: Home) -> None:
    await living(home)

    with pytest.raises(Malformed):
        home.devices.heartbeat("lamp", session=INT_BOUND)


async def test_a_will_takes_the_device_offline_at_once_and_a_second_says_nothing_new(home: Home) -> None:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp"))
    told = listening(home)

    await kept(home.devices.last_will("lamp"))
    await kept(home.devices.last_will("lamp"))

    assert home.household.device(device.id).status is Status.OFFLINE
    assert kinds(told.take()) == ["DeviceStatusChanged"]


@pytest.mark.parametrize(
    ("session", "status"), [(4, Status.ONLINE), (5, Status.OFFLINE), (6, Status.OFFLINE), (None, Status.OFFLINE)]
)
async def test_the_will_of_an_older_session_says_nothing(home: Home, session: int | None, status: Status) -> None:
    device = await living(home)
    home.devices.handshake("lamp", Introduction(type="light", firmware_version="1", session=5))

    await kept(home.devices.last_will("lamp", session=session))

    assert home.household.device(device.id).status is status


async def test_a_delivery_is_on_record_with_what_it_brought(home: Home) -> None:
    await living(home)

    receipts = [
        home.devices.report_state("lamp", {"on": True}, delivery=(1, 0)),
        home.devices.receive_event("lamp", "user_event", {"action": "a"}, delivery=(2, 0)),
        home.devices.handshake("lamp", PORTRAIT, delivery=(3, 0)),
        home.devices.last_will("lamp", delivery=(4, 0)),
        home.devices.heartbeat("lamp", delivery=(5, 0)),
    ]

    assert all((n in receipts[0].deliveries) for n in [(n, 0) for n in range(1, 6)])


def test_the_service_knows_the_types_it_was_given(ports: MemoryPorts) -> None:
    assert list(ports.home().devices.types) == list(TYPES)


async def test_a_type_outside_the_table_is_known_by_its_name_alone(home: Home) -> None:
    device = await living(home, type_id="odd")

    assert home.devices.type_of(device) == unknown_type("odd")


async def test_a_report_fits_a_state_that_would_take_it_in(home: Home) -> None:
    await living(home)
    home.devices.report_state("lamp", {f"key{n}": n for n in range(MAX_KEYS - 1)})

    assert home.devices.fits("lamp", {"key0": 5, "one more": 1})
    assert not home.devices.fits("lamp", {"one more": 1, "another": 2})
    assert not home.devices.fits("lamp", {f"key{n}": "x" * 4_000 for n in range(20)})
    assert home.devices.fits("nobody", {"one more": 1, "another": 2})  # it's told so when its turn comes
