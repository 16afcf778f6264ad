"""Who looks for new devices, and when the radio listens (docs/protocols.md §2, "Scan lifecycle")."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_core.events import EventBus
from station_core.health import BLE, Health
from station_core.provisioning.candidates import FORGOTTEN_AFTER
from station_core.provisioning.lookout import ASK_AGAIN_AFTER, BEGIN_AGAIN_AFTER, SILENT_AFTER, Lookout
from station_core.provisioning.model import Known, Sighting
from tests.unit.core.living import kinds, listening

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home

PIR = Sighting(address="AA", external_id="a1b2c3", device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60)


def scans(ports: MemoryPorts) -> bool:
    return ports.radio.scanning


def up(home: Home) -> bool:
    return home.health.parts[BLE].up


async def test_the_radio_scans_from_the_first_viewer_to_the_last(home: Home, ports: MemoryPorts) -> None:
    await settled()
    assert not scans(ports)
    home.lookout.take("anna")
    home.lookout.take("anna")
    home.lookout.take("bert")
    await settled()
    assert scans(ports)

    home.lookout.give_back("anna")
    await settled()
    assert scans(ports)
    home.lookout.give_back("bert")
    home.lookout.give_back("bert")
    await settled()
    assert not scans(ports)


async def test_candidates_are_told_while_somebody_looks_and_cleared_after(home: Home, ports: MemoryPorts) -> None:
    home.lookout.take("anna")
    await settled()
    news = listening(home)
    ports.radio.advertise(PIR)
    assert kinds(news.take()) == ["CandidateSeen"]

    home.lookout.give_back("anna")
    ports.radio.advertise(PIR)
    assert list(home.lookout.candidates) == []
    assert news.take() == []


async def test_a_device_of_the_household_is_no_new_one(home: Home, ports: MemoryPorts) -> None:
    await home.household.add(external_id="a1b2c3", name="Hall", type_id="pir")
    home.lookout.take("anna")
    await settled()
    ports.radio.advertise(PIR)

    assert home.lookout.candidates.find("a1b2c3").provisioned


async def test_a_candidate_that_falls_silent_is_told_as_lost(home: Home, ports: MemoryPorts) -> None:
    home.lookout.take("anna")
    await settled()
    ports.radio.advertise(PIR)
    news = listening(home)
    await ports.clock.advance(FORGOTTEN_AFTER + 2)

    assert "CandidateLost" in kinds(news.take())


async def test_a_viewer_that_returns_at_once_gets_a_scan(home: Home, ports: MemoryPorts) -> None:
    home.lookout.take("anna")
    await settled()
    home.lookout.give_back("anna")
    home.lookout.take("anna")
    await settled()

    assert scans(ports)


@pytest.mark.parametrize("heard", [True, False])
async def test_a_scan_that_went_silent_is_begun_anew(
    home: Home, ports: MemoryPorts, caplog: pytest.LogCaptureFixture, *, heard: bool
) -> None:
    home.lookout.take("anna")
    await settled()
    if heard:
        ports.radio.advertise(PIR)
    before = ports.radio.scans
    await ports.clock.advance(SILENT_AFTER + 2)

    assert (ports.radio.scans, home.lookout.restarts) == (before + 1, 1)
    assert scans(ports)
    assert ("the scan went silent and is begun anew" in caplog.text) is heard


async def test_a_radio_that_goes_and_comes_back_is_told_and_found(home: Home, ports: MemoryPorts) -> None:
    home.lookout.take("anna")
    await settled()
    assert up(home)
    ports.radio.unplug()
    await settled()
    assert not up(home)
    assert home.health.ready
    await ports.clock.advance(BEGIN_AGAIN_AFTER + ASK_AGAIN_AFTER)
    assert not up(home)
    ports.radio.fitted = True
    await ports.clock.advance(ASK_AGAIN_AFTER)

    assert up(home)
    assert scans(ports)


async def test_a_station_without_bluetooth_says_nothing_of_it(ports: MemoryPorts) -> None:
    bus = EventBus()
    health = Health(bus, ports.clock)
    lookout = Lookout(radio=None, holds=lambda _: False, bus=bus, health=health, clock=ports.clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(lookout.run())
        lookout.take("anna")
        await settled()
        assert BLE not in health.parts
        running.cancel()
