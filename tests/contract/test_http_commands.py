"""Commands by HTTP (docs/protocols.md §4), from a real server over a home in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.memory.clock import settled
from station_adapters.memory.link import SentCommand
from station_core.errors import BrokerUnavailable
from tests.contract.http_rig import problem, serving, under_way, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"action": "toggle"}, {"action": "toggle"}),
        ({"command": {"action": "toggle"}}, {"action": "toggle"}),
        ({"action": "set_brightness", "brightness": 75}, {"action": "set_brightness", "brightness": 75}),
        ({"command": {"action": "set_brightness", "brightness": 75}}, {"action": "set_brightness", "brightness": 75}),
        ({"action": "reboot"}, {"action": "reboot"}),
    ],
)
async def test_a_command_is_sent_once_the_broker_has_it(rig: HttpRig, body: Any, command: Any) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})

    answer = await rig.http.post(f"/api/devices/{device_id}/command", json=body)

    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "commandId"}
    assert answer.json()["status"] == "sent"
    assert rig.ports.link.commands == [SentCommand("memory", "lamp", command)]


async def test_a_command_to_a_device_that_is_away_is_not_sent(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()

    answer = await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})

    assert problem(answer) == (409, "device_offline")


async def test_a_command_without_a_broker_is_not_sent(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})
    rig.ports.link.trouble = BrokerUnavailable()

    answer = await rig.http.post(f"/api/devices/{device_id}/command", json={"action": "toggle"})

    assert problem(answer) == (503, "broker_unavailable")
    assert "retry-after" in answer.headers


async def test_who_waits_hears_that_the_device_did_it(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})

    path = f"/api/devices/{device_id}/command?wait=30"
    async with under_way(rig, "POST", path, json={"action": "toggle"}) as answer:
        await until(lambda: rig.ports.link.commands)
        await settled()
        rig.home.devices.report_state("lamp", {"on": True})

    told = answer.result().json()
    assert told == {**told, "status": "applied", "effect": {"capability": "on", "value": True}}


async def test_the_effect_is_what_the_device_reports_and_of_its_type(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": True, "brightness": 5})

    path = f"/api/devices/{device_id}/command?wait=30"
    dim = {"action": "set_brightness", "brightness": 40}
    async with under_way(rig, "POST", path, json=dim) as answer:
        await until(lambda: rig.ports.link.commands)
        await settled()
        rig.home.devices.report_state("lamp", {"on": False})
        rig.home.devices.report_state("lamp", {"brightness": 40.0})

    assert answer.result().json()["effect"] == {"capability": "brightness", "value": 40.0}


async def test_who_waits_in_vain_hears_that_it_was_sent(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})

    path = f"/api/devices/{device_id}/command?wait=2.5"
    async with under_way(rig, "POST", path, json={"action": "toggle"}) as answer:
        await until(lambda: rig.ports.link.commands)
        await rig.ports.clock.advance(2.5)

    assert answer.result().json()["status"] == "sent"
    assert "effect" not in answer.result().json()
