from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from station_core.devices.types import unknown_type
from station_core.errors import RadioUnavailable, StoreFull, StoreUnavailable
from station_core.events import LinkStatusChanged
from station_core.health import STORE
from station_core.home import Home
from station_core.provisioning.model import Wifi
from station_core.provisioning.nowhere import NoRadio, Nowhere
from tests.unit.core.living import kept, living

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts


def bare(ports: MemoryPorts, **more: Any) -> Home:
    """A home with what every home must have, and no more."""
    return Home(
        store=ports.store,
        identities=ports.identities,
        link=ports.link,
        door=ports.door,
        passwords=ports.passwords,
        tokens=ports.tokens,
        clock=ports.clock,
        randomness=ports.randomness,
        station_id="box",
        **more,
    )


def test_whatever_of_a_home_runs_is_among_its_workers(ports: MemoryPorts) -> None:
    home = bare(ports)

    assert {part.run for part in vars(home).values() if hasattr(part, "run")} == set(home.workers.values())


async def test_a_store_that_goes_and_comes_back_is_told(ports: MemoryPorts, home: Home) -> None:
    await living(home)
    told = home.bus.subscribe(LinkStatusChanged, bound=10)
    ports.store.trouble = StoreUnavailable("connection refused")
    receipt = home.devices.heartbeat("lamp")
    await ports.clock.advance(10)
    assert home.health.parts[STORE].detail == "connection refused"
    assert not home.health.ready

    ports.store.trouble = None
    await ports.clock.advance(10)
    await kept(receipt)

    assert [(event.link, event.up) for event in told.take()] == [(STORE, False), (STORE, True)]
    assert home.health.ready


async def test_a_store_that_is_held_again_but_takes_nothing_is_not_told_as_up(ports: MemoryPorts, home: Home) -> None:
    await living(home)
    told = home.bus.subscribe(LinkStatusChanged, bound=10)
    ports.store.trouble = StoreFull("full")
    receipt = home.devices.heartbeat("lamp")
    await ports.clock.advance(10)
    home.health.tell(STORE, up=False, detail="The store's lock is lost.")
    home.health.tell(STORE, up=True)
    held = home.health.parts[STORE]
    ports.store.trouble = None
    await ports.clock.advance(10)
    await kept(receipt)

    assert (held.up, held.detail) == (False, "full")
    assert [event.up for event in told.take()] == [False, True]
    assert home.health.ready


async def test_a_store_that_takes_changes_again_is_not_up_before_its_lock_is_held(
    ports: MemoryPorts, home: Home
) -> None:
    await living(home)
    ports.store.trouble = StoreUnavailable("connection refused")
    receipt = home.devices.heartbeat("lamp")
    await ports.clock.advance(10)
    home.health.tell(STORE, up=False, detail="The store's lock is lost.")
    ports.store.trouble = None
    await ports.clock.advance(10)
    await kept(receipt)
    before = home.health.parts[STORE]
    home.health.tell(STORE, up=True)

    assert (before.up, before.detail) == (False, "The store's lock is lost.")
    assert home.health.ready


async def test_a_home_does_not_load_while_the_store_is_away_and_does_when_it_is_back(ports: MemoryPorts) -> None:
    async with ports.running() as before:
        device = await living(before)
        await kept(before.devices.report_state("lamp", {"on": True}, delivery=(1, 7)))
    home = ports.home()
    ports.store.trouble = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await home.load()
    ports.store.trouble = None

    await home.load()
    await home.load()

    assert home.household.device(device.id).state == {"on": True}
    assert home.journal.delivered((1, 7))


async def test_a_home_may_have_device_types_of_its_own(ports: MemoryPorts) -> None:
    types = [unknown_type("fan")]
    home = bare(ports, types=types)

    await home.load()

    assert home.devices.types == types
    assert ports.store.types == tuple(types)


def test_forgetting_a_device_that_is_not_there_is_no_error(ports: MemoryPorts) -> None:
    ports.home().registry.drop("nobody")


async def test_a_home_knows_how_many_devices_it_has(home: Home) -> None:
    await living(home, "lamp")
    await living(home, "fan")

    assert len(home.registry) == 2


async def test_what_is_loaded_takes_the_place_of_all_that_was_known(home: Home) -> None:
    await living(home, "lamp")
    home.registry.load([], seen=0.0)

    assert len(home.registry) == 0
    assert not home.registry.holds("lamp")


async def test_a_home_that_brings_no_devices_in_keeps_no_network(ports: MemoryPorts) -> None:
    store = Nowhere()
    for wanted in (store.reserve("lamp"), store.keep_wifi(Wifi(ssid="home", password=""))):
        with pytest.raises(StoreUnavailable):
            await wanted
    await store.release("lamp")

    assert (await store.reserved(), await store.wifi()) == ((), None)
    await ports.home().load()


async def test_a_home_without_a_radio_says_so(ports: MemoryPorts) -> None:
    home = bare(ports)
    with pytest.raises(RadioUnavailable):
        home.provisioning.begin(external_id="lamp", name="Lamp")

    for tried in (NoRadio().scan(print, started=print), NoRadio().write("AA", b"", connected=print)):
        with pytest.raises(RadioUnavailable):
            await tried
