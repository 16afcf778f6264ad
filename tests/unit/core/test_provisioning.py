"""From a device in radio range to one of the household's, and every way back (docs/protocols.md §2)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.memory.clock import settled
from station_core.errors import (
    ExternalIdInvalid,
    Malformed,
    NotFound,
    ProvisioningBusy,
    StoreUnavailable,
    Unauthenticated,
)
from station_core.provisioning.errors import ConnectFailed, LinkLost, ServiceMissing, WriteRefused
from station_core.provisioning.events import ProvisioningProgressed
from station_core.provisioning.model import Known, Sighting, Step, Wifi
from station_core.provisioning.saga import FOUND_WITHIN, HANDSHAKE_WITHIN, RETRY_AFTER
from station_core.provisioning.service import ENDED_KEPT, UNDER_WAY
from tests.unit.core.living import PORTRAIT, STATION, listening

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.devices.credentials import Credential
    from station_core.devices.model import Device
    from station_core.errors import StationError
    from station_core.events import Event
    from station_core.home import Home
    from station_core.provisioning.model import Attempt

PIR = Sighting(address="AA", external_id="a1b2c3", device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60)
WIFI = Wifi(ssid="home", password="canary-password")


@pytest.fixture(autouse=True)
async def _in_sight(home: Home, ports: MemoryPorts) -> None:
    await ports.provisioning.keep_wifi(WIFI)
    home.lookout.take("anna")
    await settled()
    ports.radio.advertise(PIR)


def begun(home: Home, external_id: str = "a1b2c3") -> Attempt:
    return home.provisioning.begin(external_id=external_id, name="Hall")


def steps(events: list[Event]) -> list[str]:
    return [event.attempt.step for event in events if isinstance(event, ProvisioningProgressed)]


def written(ports: MemoryPorts) -> dict[str, Any]:
    [(address, told)] = ports.radio.written
    assert address == "AA"
    payload: dict[str, Any] = json.loads(told)
    return payload


async def joins(home: Home, external_id: str = "a1b2c3") -> None:
    home.devices.handshake(external_id, PORTRAIT, station_id=STATION)
    await home.journal.drained()
    await settled()


async def nothing_left(home: Home, ports: MemoryPorts) -> bool:
    return not home.household.devices() and not await ports.provisioning.reserved() and not home.keyring.accounts()


async def test_a_device_in_range_becomes_one_of_the_household_by_its_handshake(home: Home, ports: MemoryPorts) -> None:
    news = listening(home)
    attempt = begun(home)
    await settled()
    payload = written(ports)
    assert home.provisioning.attempt(attempt.id).step is Step.WAITING
    await joins(home)

    assert steps(news.take()) == [
        "looking", "found", "connecting", "connected", "written", "waiting_for_handshake", "done",
    ]  # fmt: skip
    [device] = home.household.devices()
    assert (device.external_id, device.name) == ("a1b2c3", "Hall")
    assert home.provisioning.attempt(attempt.id).device_id == device.id
    assert await ports.provisioning.reserved() == ()
    assert home.keyring.verify(payload.pop("device_token")) == device.id
    assert payload == {
        "ssid": "home",
        "password": "canary-password",
        "mqtt_host": "localhost",
        "mqtt_port": 1883,
        "device_id": "a1b2c3",
        "station_id": "memory",
    }


@pytest.mark.parametrize(
    "refusal", [ConnectFailed(), ServiceMissing(), WriteRefused(), LinkLost()], ids=lambda error: str(error.code)
)
async def test_what_fails_on_the_air_leaves_nothing_and_can_be_tried_again(
    home: Home, ports: MemoryPorts, refusal: StationError
) -> None:
    ports.radio.refusals["AA"] = refusal
    attempt = begun(home)
    await settled()
    ended = home.provisioning.attempt(attempt.id)
    assert (ended.step, ended.code) == (Step.FAILED, refusal.code)
    assert await nothing_left(home, ports)

    del ports.radio.refusals["AA"]
    again = begun(home)
    await settled()
    await joins(home)
    assert home.provisioning.attempt(again.id).step is Step.DONE


async def test_a_device_that_never_joins_is_withdrawn_and_its_token_with_it(home: Home, ports: MemoryPorts) -> None:
    attempt = begun(home)
    await settled()
    token = written(ports)["device_token"]
    await ports.clock.advance(HANDSHAKE_WITHIN)

    assert home.provisioning.attempt(attempt.id).code == "no_handshake"
    assert await nothing_left(home, ports)
    with pytest.raises(Unauthenticated):
        home.keyring.verify(token)


async def test_a_device_that_is_removed_meanwhile_has_failed(home: Home, ports: MemoryPorts) -> None:
    attempt = begun(home)
    await settled()
    await home.household.remove(home.household.devices()[0].id)
    await settled()

    assert home.provisioning.attempt(attempt.id).code == "no_handshake"
    assert await nothing_left(home, ports)


async def test_without_the_home_s_wifi_nothing_is_reserved(home: Home, ports: MemoryPorts) -> None:
    ports.provisioning._wifi = None
    attempt = begun(home)
    await settled()

    assert home.provisioning.attempt(attempt.id).code == "wifi_not_configured"
    assert await nothing_left(home, ports)


async def test_a_device_that_is_not_in_sight_is_looked_for(home: Home, ports: MemoryPorts) -> None:
    home.lookout.give_back("anna")
    found, absent = begun(home), begun(home, "absent")
    await settled()
    assert home.provisioning.attempt(found.id).step is Step.LOOKING
    ports.radio.advertise(PIR)
    await settled()
    assert home.provisioning.attempt(found.id).step is Step.WAITING
    await ports.clock.advance(FOUND_WITHIN)

    assert home.provisioning.attempt(absent.id).code == "not_in_range"


async def test_of_two_people_one_wins(home: Home) -> None:
    begun(home)

    with pytest.raises(ProvisioningBusy):
        begun(home)


async def test_too_many_at_once_are_refused(home: Home) -> None:
    for n in range(UNDER_WAY):
        begun(home, f"x{n}")

    with pytest.raises(ProvisioningBusy):
        begun(home)


async def test_bad_ids_and_names_are_refused(home: Home) -> None:
    with pytest.raises(ExternalIdInvalid):
        begun(home, "a/b")
    with pytest.raises(Malformed):
        home.provisioning.begin(external_id="a1b2c3", name=" ")
    with pytest.raises(Malformed):
        home.provisioning.begin(external_id="a1b2c3")
    with pytest.raises(NotFound):
        home.provisioning.attempt("nowhere")
    with pytest.raises(NotFound):
        home.provisioning.cancel("nowhere")


async def test_a_zone_that_is_not_there_fails_it(home: Home, ports: MemoryPorts) -> None:
    attempt = home.provisioning.begin(external_id="a1b2c3", name="Hall", zone_id="nowhere")
    await settled()

    assert home.provisioning.attempt(attempt.id).code == "not_found"
    assert await nothing_left(home, ports)


async def test_a_cancelled_one_leaves_nothing(home: Home, ports: MemoryPorts) -> None:
    attempt = begun(home)
    await settled()
    home.provisioning.cancel(attempt.id)
    await settled()

    assert home.provisioning.attempt(attempt.id).step is Step.CANCELLED
    assert await nothing_left(home, ports)
    home.provisioning.cancel(attempt.id)


async def test_a_cancellation_that_the_store_passes_over_still_ends_it_before_the_write(
    home: Home, ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = ports.store.add

    async def to_the_end(device: Device, credential: Credential, **more: Any) -> None:
        home.provisioning.cancel(attempt.id)
        keeping = asyncio.ensure_future(add(device, credential, **more))
        while not keeping.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(keeping)

    monkeypatch.setattr(ports.store, "add", to_the_end)
    attempt = begun(home)
    await settled()

    assert home.provisioning.attempt(attempt.id).step is Step.CANCELLED
    assert ports.radio.written == []
    assert await nothing_left(home, ports)


async def test_what_is_reserved_is_taken_back_once_the_store_is_there_again(home: Home, ports: MemoryPorts) -> None:
    attempt = begun(home)
    await settled()
    ports.store.trouble = ports.provisioning.trouble = StoreUnavailable()
    await ports.clock.advance(HANDSHAKE_WITHIN + RETRY_AFTER)
    assert home.provisioning.attempt(attempt.id).step is Step.WAITING
    ports.store.trouble = ports.provisioning.trouble = None
    await ports.clock.advance(RETRY_AFTER)

    assert home.provisioning.attempt(attempt.id).step is Step.FAILED
    assert await nothing_left(home, ports)


async def test_only_the_newest_ends_are_remembered(home: Home) -> None:
    first = begun(home, "x0")
    for n in range(ENDED_KEPT + 1):
        attempt = begun(home, f"x{n}") if n else first
        home.provisioning.cancel(attempt.id)
        await settled()
    begun(home)

    with pytest.raises(NotFound):
        home.provisioning.attempt(first.id)


async def test_after_a_power_cut_a_device_that_has_joined_stays(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        device, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        await joins(home, "lamp")
        await ports.provisioning.reserve(device.id)
    async with ports.running() as home:
        await settled()
        assert [kept.id for kept in home.household.devices()] == [device.id]
        assert await ports.provisioning.reserved() == ()


async def test_after_a_power_cut_a_device_that_has_not_has_its_time_and_is_withdrawn_then(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        for name in ("late", "lost"):
            device, _ = await home.household.add(external_id=name, name=name, type_id="light")
            await ports.provisioning.reserve(device.id)
        await ports.provisioning.reserve("never-added")
    async with ports.running() as home:
        await joins(home, "late")
        await ports.clock.advance(HANDSHAKE_WITHIN)

        assert [device.external_id for device in home.household.devices()] == ["late"]
        assert await ports.provisioning.reserved() == ()


async def test_what_went_down_with_a_run_is_told_as_failed_by_the_next(home: Home, ports: MemoryPorts) -> None:
    attempt = begun(home)
    await settled()
    ports.provisioning.trouble = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await home.provisioning.run()

    assert home.provisioning.attempt(attempt.id).code == "internal"
