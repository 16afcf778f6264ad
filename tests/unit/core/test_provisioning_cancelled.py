from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_core.provisioning.model import Known, Sighting, Step, Wifi

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home

PIR = Sighting(address="AA", external_id="a1b2c3", device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60)


@pytest.mark.parametrize("turns", range(40))
async def test_in_whatever_turn_of_the_loop_it_is_cancelled_nothing_is_left(
    home: Home, ports: MemoryPorts, turns: int
) -> None:
    await ports.provisioning.keep_wifi(Wifi(ssid="home", password="canary-password"))
    home.lookout.take("anna")
    await settled()
    ports.radio.advertise(PIR)
    attempt = home.provisioning.begin(external_id="a1b2c3", name="Hall")
    for _ in range(turns):
        await asyncio.sleep(0)
    home.provisioning.cancel(attempt.id)
    await settled()

    assert home.provisioning.attempt(attempt.id).step is Step.CANCELLED
    assert (home.household.devices(), home.keyring.accounts()) == ([], [])
    assert await ports.provisioning.reserved() == ()
