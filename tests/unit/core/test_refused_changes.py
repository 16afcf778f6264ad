"""
A change that the store can never keep, although every rule at the edges let it pass.

Whatever waits with it: afterwards memory is what the store holds, and no other device has lost anything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station_adapters.memory.devices import MemoryDeviceStore
from station_adapters.memory.home import MemoryPorts
from station_core.devices.model import Status
from station_core.errors import ChangeRefused, Malformed, StoreUnavailable
from tests.unit.core.living import kept, living

if TYPE_CHECKING:
    from station_core.devices.ports import DeviceChange
    from station_core.journal import Batch
    from station_core.values import Value


class FastidiousStore(MemoryDeviceStore):
    """It keeps no state in which anything is "poison", nor an event that says so; while `away` it keeps nothing."""

    away = False

    async def commit(self, batch: Batch[DeviceChange]) -> None:
        if self.away:
            raise StoreUnavailable
        if any("poison" in (*change.device.state.values(), str(change.events)) for change in batch.changes):
            raise ChangeRefused("poison")
        await super().commit(batch)


class FastidiousPorts(MemoryPorts):
    store: FastidiousStore

    def __init__(self) -> None:
        super().__init__()
        self.store = FastidiousStore(self.randomness)


@pytest.fixture
def ports() -> FastidiousPorts:
    return FastidiousPorts()


async def stored_state(ports: MemoryPorts, external_id: str) -> dict[str, Value]:
    found = await ports.store.find(external_id)
    assert found is not None
    return dict(found[0].state)


async def test_what_is_dropped_is_counted_and_logged_once_without_its_content(
    ports: FastidiousPorts, caplog: pytest.LogCaptureFixture
) -> None:
    async with ports.running() as home:
        await living(home)
        with pytest.raises(Malformed):
            await home.journal.kept(home.devices.report_state("lamp", {"note": "poison", "diary": "private"}))

        told = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
        assert [one["msg"] for one in told] == ["change refused by the store, dropped"]
        assert "private" not in str(told)
        assert home.journal.refused == 1


async def test_a_refused_report_is_malformed_to_its_sender_and_memory_is_as_before(ports: FastidiousPorts) -> None:
    async with ports.running() as home:
        device = await living(home)
        await kept(home.devices.report_state("lamp", {"on": True}))

        with pytest.raises(Malformed):
            await home.journal.kept(home.devices.report_state("lamp", {"on": "poison"}))
        assert home.household.device(device.id).state == {"on": True}
        assert home.household.device(device.id).status is Status.ONLINE
        await home.journal.kept(home.devices.report_state("lamp", {"brightness": 1}))

        assert home.household.device(device.id).state == {"on": True, "brightness": 1}
        assert await stored_state(ports, "lamp") == {"on": True, "brightness": 1}


async def test_a_name_given_meanwhile_stays(ports: FastidiousPorts) -> None:
    async with ports.running() as home:
        device = await living(home)
        ports.store.away = True
        receipt = home.devices.report_state("lamp", {"on": "poison"})
        await home.household.update(device.id, name="Ceiling")
        ports.store.away = False
        await ports.clock.advance(1)
        await kept(receipt)

        assert home.household.device(device.id).name == "Ceiling"
        assert home.household.device(device.id).state == {}


async def test_the_state_is_weighed_anew(ports: FastidiousPorts) -> None:
    async with ports.running() as home:
        await living(home)
        for n in range(16):
            await kept(home.devices.report_state("lamp", {f"key{n:02}": "x" * 4_080}))

        await kept(home.devices.report_state("lamp", {"key00": "poison", "more": "x" * 100}))

        with pytest.raises(Malformed):
            home.devices.report_state("lamp", {"more": "x" * 3_000})


async def test_a_device_removed_meanwhile_stays_away(ports: FastidiousPorts) -> None:
    async with ports.running() as home:
        device = await living(home)
        receipts = [home.devices.report_state("lamp", {"on": value}) for value in ("poison", "poison", True)]
        home.registry.drop(device.id)
        await kept(receipts[-1])

        assert home.household.devices() == []
        assert home.journal.refused == 3


async def test_a_device_that_was_heard_is_reached_though_what_it_said_is_refused(ports: FastidiousPorts) -> None:
    async with ports.running() as home:
        device = await living(home)
        await kept(home.devices.heartbeat("lamp"))
        await kept(home.devices.last_will("lamp"))
        cell = home.registry.known(device.id)
        after_the_will = home.presence.reachable(cell)
        await kept(home.devices.report_state("lamp", {"on": "poison"}))

        assert home.household.device(device.id).status is Status.OFFLINE
        assert not after_the_will
        assert home.presence.reachable(cell)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["lamp", "fan"]),
            st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | st.just("poison"), min_size=1, max_size=2),
        ),
        st.tuples(st.just("turn"), st.integers(1, 8)),
        st.tuples(st.just("beat"), st.just(0)),
    ),
    max_size=30,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
async def test_memory_ends_up_as_the_store_and_others_lose_nothing(
    steps: list[tuple[str, dict[str, Value] | int]],
) -> None:
    ports = FastidiousPorts()
    quiet: dict[str, Value] = {}
    async with asyncio.timeout(30), ports.running() as home:
        lamp, fan, door = [await living(home, external_id) for external_id in ("lamp", "fan", "door")]
        for number, (what, detail) in enumerate(steps):
            if isinstance(detail, dict):
                home.devices.report_state(what, detail)
                home.devices.report_state("door", {"n": number})
                quiet = {"n": number}
            elif what == "beat":
                home.devices.heartbeat("lamp")
            else:
                for _ in range(detail):
                    await asyncio.sleep(0)
        await home.journal.drained()

        for device in (lamp, fan, door):
            state = home.household.device(device.id).state
            assert state == await stored_state(ports, device.external_id)
            assert "poison" not in state.values()
        assert home.household.device(door.id).state == quiet
        assert home.journal.waiting == home.journal.weight == 0
