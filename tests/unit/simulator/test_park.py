from __future__ import annotations

from collections import Counter

import pytest

from station_app.simulator.firmware import Firmware
from station_app.simulator.models import MODELS
from station_app.simulator.park import mix_of, park
from station_core.errors import SettingInvalid
from tests.unit.simulator.lives import OK, let_live, said


def test_the_same_seed_is_the_same_park_and_another_is_another() -> None:
    first, again, other = (park(40, mix=mix_of(""), seed=seed) for seed in (1, 1, 2))

    assert first == again != other


@pytest.mark.parametrize("kind", MODELS)
def test_the_same_seed_is_the_same_life_whatever_the_network_does(kind: str) -> None:
    (make,) = park(1, mix={kind: 1.0}, seed=3, rate=0.1)
    calm, troubled = Firmware(make), Firmware(make)
    for firmware in (calm, troubled):
        firmware.boot(0)
    troubled.disconnected(1)  # it can't connect at first: its pauses are random too
    troubled.tick(troubled.wakes_at)
    lives = []
    for firmware in (calm, troubled):
        firmware.connected(5)
        firmware.message("handshake/ack", OK, 5)
        outputs = [output for _, output in let_live(firmware, until=600)]
        lives.append([message for message in said(outputs) if message[0] != "heartbeat"])

    assert lives[0]
    assert lives[0] == lives[1]


def test_ids_are_numbered_and_all_different() -> None:
    makes = park(120, mix=mix_of(""), seed=1, prefix="hall")

    assert [make.external_id for make in makes][:2] == ["hall-0001", "hall-0002"]
    assert len({make.external_id for make in makes}) == 120


@pytest.mark.parametrize(
    ("mix", "counts"),
    [
        ("", {"climate": 25, "pir": 25, "switch-pir": 25, "light": 25}),
        ("climate=3,light", {"climate": 75, "light": 25}),
        ("pir=1, light=1 ,climate=1", {"pir": 34, "light": 33, "climate": 33}),
    ],
)
def test_types_come_in_their_shares(mix: str, counts: dict[str, int]) -> None:
    assert Counter(make.type for make in park(100, mix=mix_of(mix), seed=1)) == counts


@pytest.mark.parametrize("mix", ["toaster", "climate=much", "climate=0", "climate=-1", "climate=inf", "climate=nan"])
def test_a_mix_that_makes_no_sense_is_refused(mix: str) -> None:
    with pytest.raises(SettingInvalid):
        mix_of(mix)


@pytest.mark.parametrize(("share", "newer"), [(0.0, 0), (0.5, 10), (1.0, 20)])
def test_a_share_has_newer_firmware(share: float, newer: int) -> None:
    assert sum(make.newer for make in park(20, mix=mix_of(""), seed=1, newer=share)) == newer


@pytest.mark.parametrize("kind", MODELS)
def test_at_a_rate_of_its_own_a_device_of_any_type_reports_at_that_rate(kind: str) -> None:
    (make,) = park(1, mix={kind: 1.0}, seed=1, rate=2.0)
    firmware = Firmware(make)
    firmware.boot(0)
    firmware.connected(0)
    firmware.message("handshake/ack", OK, 0)
    reports = [
        content for _, output in let_live(firmware, until=60) for name, content in said([output]) if name == "state"
    ]

    assert 120 <= len(reports) <= 130  # 2 a second, and what happens of itself
    assert all(content["state"].keys() <= firmware.state.keys() for content in reports)
