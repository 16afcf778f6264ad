"""Which devices are in radio range: found, better known, lost (docs/protocols.md §2)."""

from __future__ import annotations

import pytest

from station_adapters.memory.clock import MemoryClock
from station_core.provisioning.candidates import BOUND, FORGOTTEN_AFTER, TOLD_EVERY, Candidates
from station_core.provisioning.errors import NotInRange
from station_core.provisioning.events import CandidateLost, CandidateSeen
from station_core.provisioning.model import Known, Sighting
from tests.unit.core.living import kinds

PIR = Sighting(address="AA", external_id="a1b2c3", device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60)
NAMELESS = Sighting(address="AA", external_id="aa", device_type="unknown", known_by=Known.ADDRESS, rssi=-70)


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def candidates(clock: MemoryClock) -> Candidates:
    return Candidates(clock, {"old"}.__contains__)


def test_a_device_on_the_air_is_a_candidate(candidates: Candidates, clock: MemoryClock) -> None:
    [event] = candidates.seen(PIR)

    assert isinstance(event, CandidateSeen)
    assert event.candidate == candidates.find("a1b2c3") == next(iter(candidates))
    assert (event.candidate.default_name, event.candidate.last_seen) == ("pir a1b2c3", clock.now())
    assert not event.candidate.provisioned


def test_a_device_that_is_one_of_ours_is_shown_as_such(candidates: Candidates) -> None:
    candidates.seen(Sighting(address="BB", external_id="old", device_type="light", known_by=Known.NAME, rssi=-50))

    assert candidates.find("old").provisioned


async def test_a_signal_that_changes_is_told_now_and_then(candidates: Candidates, clock: MemoryClock) -> None:
    candidates.seen(PIR)

    assert candidates.seen(PIR) == []
    await clock.advance(TOLD_EVERY)
    assert kinds(list(candidates.seen(PIR))) == ["CandidateSeen"]


def test_an_identity_that_gets_better_replaces_the_former_one(candidates: Candidates) -> None:
    candidates.seen(NAMELESS)
    lost, seen = candidates.seen(PIR)

    assert isinstance(lost, CandidateLost)
    assert lost.external_id == "aa"
    assert isinstance(seen, CandidateSeen)
    assert [candidate.external_id for candidate in candidates] == ["a1b2c3"]


def test_an_identity_never_gets_worse(candidates: Candidates) -> None:
    candidates.seen(PIR)
    candidates.seen(NAMELESS)

    assert [(candidate.external_id, candidate.rssi) for candidate in candidates] == [("a1b2c3", -70)]


def test_a_name_that_comes_later_is_told(candidates: Candidates) -> None:
    candidates.seen(PIR)
    named = Sighting(
        address="AA", external_id="a1b2c3", device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60, name="SH_pir_1"
    )

    assert kinds(list(candidates.seen(named))) == ["CandidateSeen"]
    assert candidates.find("a1b2c3").default_name == "SH_pir_1"


def test_of_two_addresses_with_one_id_the_newer_counts(candidates: Candidates) -> None:
    candidates.seen(PIR)
    candidates.seen(Sighting(address="BB", external_id="a1b2c3", device_type="pir", known_by=Known.NAME, rssi=-40))

    assert [candidate.address for candidate in candidates] == ["BB"]


async def test_who_is_silent_is_lost(candidates: Candidates, clock: MemoryClock) -> None:
    candidates.seen(PIR)
    await clock.advance(FORGOTTEN_AFTER)
    assert candidates.expire() == []
    await clock.advance(0.1)

    [lost] = candidates.expire()
    assert isinstance(lost, CandidateLost)
    assert lost.external_id == "a1b2c3"
    with pytest.raises(NotInRange):
        candidates.find("a1b2c3")


def test_whoever_makes_up_addresses_gets_no_more_memory(candidates: Candidates) -> None:
    for n in range(BOUND + 3):
        candidates.seen(Sighting(address=f"{n}", external_id=f"x{n}", device_type="pir", known_by=Known.NAME, rssi=-60))

    assert (len(candidates), candidates.overlooked) == (BOUND, 3)


def test_after_a_clear_nothing_is_left(candidates: Candidates) -> None:
    candidates.seen(PIR)
    candidates.clear()

    assert len(candidates) == 0
    assert kinds(list(candidates.seen(PIR))) == ["CandidateSeen"]
