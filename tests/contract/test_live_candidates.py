"""What the live socket and REST tell of devices in radio range (docs/protocols.md §2, "Scan lifecycle")."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from station_core.identity.model import Role
from station_core.provisioning.model import Known, Sighting
from tests.contract.http_rig import AT, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


def candidate(external_id: str = "a1b2c3", rssi: int = -60, *, provisioned: bool = False) -> dict[str, Any]:
    return {
        "externalId": external_id,
        "deviceType": "pir",
        "defaultName": f"pir {external_id}",
        "rssi": rssi,
        "lastSeen": AT,
        "provisioned": provisioned,
    }


def sighting(external_id: str = "a1b2c3", address: str = "AA:00") -> Sighting:
    return Sighting(address=address, external_id=external_id, device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60)


async def test_a_device_on_the_air_is_told_to_those_who_look_and_replayed_to_those_who_come_later(
    rig: HttpRig,
) -> None:
    radio = rig.ports.radio
    async with AsyncExitStack() as stack:
        member = await rig.opened(stack, await rig.token(Role.MEMBER))
        owner = await rig.opened(stack, await rig.token(Role.OWNER))
        await until(lambda: radio.scanning)
        radio.advertise(sighting())
        assert await owner.next() == {"type": "provisioning_candidate", "candidate": candidate()}
        admin = await stack.enter_async_context(rig.socket(await rig.token(Role.ADMIN)))
        assert (await admin.next())["candidates"] == [candidate()]

        await admin.say({"type": "provisioning_stop"})
        await admin.say({"type": "provisioning_start"})
        assert await admin.next() == {"type": "provisioning_candidate", "candidate": candidate()}
        await rig.ports.clock.advance(32)

        lost = {"type": "provisioning_candidate_lost", "externalId": "a1b2c3"}
        assert [await owner.next(), await admin.next()] == [lost, lost]
        await member.say({"type": "ping"})
        assert await member.next() == {"type": "pong"}


async def test_who_is_in_range_can_be_asked_for_by_those_who_may_provision(rig: HttpRig) -> None:
    await rig.add("a1b2c3", "pir")
    async with AsyncExitStack() as stack:
        await rig.opened(stack, await rig.token(Role.OWNER))
        await until(lambda: rig.ports.radio.scanning)
        rig.ports.radio.advertise(sighting())
        await rig.log_in(Role.OWNER)
        found = await rig.http.get("/api/device/provisioning/candidates")
        await rig.log_in(Role.MEMBER)
        refused = await rig.http.get("/api/device/provisioning/candidates")

    assert found.json() == {"items": [candidate(provisioned=True)], "nextCursor": None}
    assert refused.status_code == 403
