from __future__ import annotations

from typing import TYPE_CHECKING

from station_adapters.memory.clock import settled
from station_core.devices.events import DeviceStatusChanged
from station_core.devices.model import Status
from station_core.devices.presence import CHECKED_EVERY, SILENCE
from station_core.errors import StoreUnavailable
from station_core.journal import JOURNAL_BOUND
from tests.unit.core.living import kept, living

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home


async def test_three_minutes_of_silence_make_a_device_offline(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp"))
    told = home.bus.subscribe(DeviceStatusChanged, bound=10)

    await ports.clock.advance(SILENCE)
    assert home.household.device(device.id).status is Status.ONLINE
    await ports.clock.advance(CHECKED_EVERY)

    assert home.household.device(device.id).status is Status.OFFLINE
    assert [event.status for event in told.take()] == [Status.OFFLINE]


async def test_a_device_that_speaks_every_two_minutes_stays_online(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    for _ in range(10):
        await kept(home.devices.report_state("lamp", {"on": True}))
        await ports.clock.advance(120)

    assert home.household.device(device.id).status is Status.ONLINE


async def test_a_jump_of_the_wall_clock_makes_nobody_offline(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp"))

    ports.clock.wall = ports.clock.wall.replace(year=2030)
    await ports.clock.advance(CHECKED_EVERY)

    assert home.household.device(device.id).status is Status.ONLINE


async def test_while_the_broker_is_away_nobody_is_called_offline(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp"))

    home.presence.deafened()
    home.presence.deafened()
    await ports.clock.advance(3_600)

    assert home.household.device(device.id).status is Status.ONLINE


async def test_when_the_broker_is_back_every_device_has_the_whole_time_anew(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp"))
    home.presence.deafened()
    await ports.clock.advance(3_600)

    home.presence.hearing()
    await ports.clock.advance(SILENCE / 2)
    home.presence.hearing()
    await ports.clock.advance(SILENCE / 2)
    assert home.household.device(device.id).status is Status.ONLINE
    await ports.clock.advance(CHECKED_EVERY)

    assert home.household.device(device.id).status is Status.OFFLINE


async def test_until_the_station_has_heard_for_the_first_time_silence_says_nothing(ports: MemoryPorts) -> None:
    async with ports.running() as before:
        device = await living(before)
    home = ports.home()
    await home.load()
    cell = home.registry.known(device.id)

    await ports.clock.advance(3_600)
    assert home.presence.reachable(cell)
    home.presence.hearing()
    await ports.clock.advance(SILENCE)
    assert home.presence.reachable(cell)
    await ports.clock.advance(1)

    assert not home.presence.reachable(cell)


async def test_while_the_journal_is_full_and_messages_wait_unread_nobody_is_called_offline(
    ports: MemoryPorts, home: Home
) -> None:
    device = await living(home)
    ports.store.trouble = StoreUnavailable()
    for _ in range(JOURNAL_BOUND // 2):
        home.devices.report_state("lamp", {"on": True})
    await ports.clock.advance(3_600)
    assert home.household.device(device.id).status is Status.ONLINE

    ports.store.trouble = None
    await ports.clock.advance(SILENCE - CHECKED_EVERY)
    assert home.household.device(device.id).status is Status.ONLINE
    await ports.clock.advance(3 * CHECKED_EVERY)

    assert home.household.device(device.id).status is Status.OFFLINE


async def test_while_the_store_is_away_and_a_broker_waits_for_acknowledgements_nobody_is_called_offline(
    ports: MemoryPorts, home: Home
) -> None:
    device = await living(home)
    await kept(home.devices.heartbeat("lamp"))
    ports.store.trouble = StoreUnavailable()
    home.devices.report_state("lamp", {"on": True})
    await ports.clock.advance(3_600)
    still = home.household.device(device.id).status, home.presence.reachable(home.registry.known(device.id))

    ports.store.trouble = None
    await ports.clock.advance(SILENCE + 3 * CHECKED_EVERY)

    assert still == (Status.ONLINE, True)
    assert home.household.device(device.id).status is Status.OFFLINE


async def test_who_never_spoke_in_this_run_goes_offline_without_a_word(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        await living(home)
        await kept(home.devices.heartbeat("lamp"))
    async with ports.running() as home:
        told = home.bus.subscribe(DeviceStatusChanged, bound=10)
        await ports.clock.advance(600)
        await settled()

        assert told.take() == []
