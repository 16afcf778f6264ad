"""What every `DeviceLink` promises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_core.errors import BrokerUnavailable
from tests.contract import link_rigs
from tests.contract.link_rigs import DEVICE, STATION, Heard, LinkRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.values import Value

TOGGLE: dict[str, Value] = {"action": "toggle"}


@pytest.fixture(params=[link_rigs.memory, link_rigs.mqtt], ids=lambda rig: str(rig.__name__))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[LinkRig]:
    async with request.param() as rig:
        yield rig


async def test_a_command_that_was_sent_reaches_its_device_as_it_was_given(rig: LinkRig) -> None:
    await rig.link.send(STATION, DEVICE, {"action": "set_brightness", "brightness": 75, "note": "é"})
    heard = await rig.heard(1)

    assert heard == [Heard("command", {"action": "set_brightness", "brightness": 75, "note": "é"})]


async def test_commands_keep_their_order(rig: LinkRig) -> None:
    for n in range(50):
        await rig.link.send(STATION, DEVICE, {"action": "toggle", "n": n})
    heard = await rig.heard(50)

    assert heard == [Heard("command", {"action": "toggle", "n": n}) for n in range(50)]


async def test_many_commands_at_once_all_arrive(rig: LinkRig) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(200):
            group.create_task(rig.link.send(STATION, DEVICE, {"action": "toggle", "n": n}))
    heard = await rig.heard(200)

    assert {str(told.payload) for told in heard} == {str({"action": "toggle", "n": n}) for n in range(200)}


async def test_a_command_goes_out_whatever_devices_have_to_say(rig: LinkRig) -> None:
    await rig.flood()
    await rig.link.send(STATION, DEVICE, TOGGLE)
    heard = await rig.heard(1)

    assert heard == [Heard("command", TOGGLE)]


@pytest.mark.parametrize(("known", "status"), [(True, "ok"), (False, "unknown_device")])
async def test_a_handshake_is_answered(rig: LinkRig, known: bool, status: str) -> None:  # noqa: FBT001
    rig.link.answer_handshake(STATION, DEVICE, known=known)
    heard = await rig.heard(1)

    assert heard == [Heard("handshake/ack", {"status": status})]


async def test_what_a_broker_retains_of_a_device_is_cleared_and_of_others_not(rig: LinkRig) -> None:
    await rig.retain(STATION, DEVICE)
    await rig.retain(STATION, "door")
    await rig.link.clear(STATION, DEVICE)

    assert await rig.retained() == {"door"}


async def test_without_a_broker_nothing_is_cleared(rig: LinkRig) -> None:
    await rig.cut()

    with pytest.raises(BrokerUnavailable):
        await rig.link.clear(STATION, DEVICE)


async def test_without_a_broker_a_command_is_refused_and_an_answer_is_lost_without_an_error(rig: LinkRig) -> None:
    await rig.cut()
    rig.link.answer_handshake(STATION, DEVICE, known=False)
    with pytest.raises(BrokerUnavailable):
        await rig.link.send(STATION, DEVICE, TOGGLE)


async def test_it_works_again_when_the_broker_is_back_and_sends_nothing_of_what_was_refused(rig: LinkRig) -> None:
    await rig.cut()
    with pytest.raises(BrokerUnavailable):
        await rig.link.send(STATION, DEVICE, {"action": "turn_off"})
    await rig.mend()
    await rig.link.send(STATION, DEVICE, TOGGLE)
    heard = await rig.heard(1)

    assert heard == [Heard("command", TOGGLE)]


async def test_a_sender_that_gave_up_leaves_the_link_whole(rig: LinkRig) -> None:
    sending = asyncio.ensure_future(rig.link.send(STATION, DEVICE, TOGGLE))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await rig.link.send(STATION, DEVICE, {"action": "turn_on"})
    heard = await rig.heard(1)

    assert heard[0].suffix == "command"
