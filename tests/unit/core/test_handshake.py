from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.devices.events import DeviceHandshakeReceived, DeviceUpdated
from station_core.devices.model import Introduction
from station_core.devices.zones import Zone
from station_core.errors import Malformed
from station_core.values import INT_BOUND
from tests.unit.core.living import PORTRAIT, STATION, kept, listening, living

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home


async def test_a_handshake_is_answered_under_the_station_id_that_the_device_uses(
    ports: MemoryPorts, home: Home
) -> None:
    await living(home)

    home.devices.handshake("lamp", PORTRAIT, station_id="older-box")
    home.devices.handshake("lamp", PORTRAIT)

    assert [(a.station_id, a.external_id, a.known) for a in ports.link.answers] == [("older-box", "lamp", True)]


async def test_a_handshake_tells_type_firmware_and_chip(home: Home) -> None:
    device = await living(home)
    told = listening(home)

    await kept(home.devices.handshake("lamp", Introduction(type="pir", firmware_version="2", chip="c3", kit_tag="k")))

    after = home.household.device(device.id)
    assert (after.type, after.firmware_version, after.chip, after.kit_tag) == ("pir", "2", "c3", "k")
    handshake, update = told.take()[1:]
    assert isinstance(handshake, DeviceHandshakeReceived)
    assert isinstance(update, DeviceUpdated)
    assert (handshake.kit_tag, update.device) == ("k", after)


@pytest.mark.parametrize(
    "portrait",
    [
        Introduction(type="a b", firmware_version="1"),
        Introduction(type="light", firmware_version="\0"),
        Introduction(type="light", firmware_version="1", chip="\ud800"),
        Introduction(type="light", firmware_version="1", kit_tag="a/b"),
        Introduction(type="light", firmware_version="1", session=INT_BOUND),
    ],
    ids=str,
)
async def test_a_handshake_that_no_database_could_keep_is_malformed(home: Home, portrait: Introduction) -> None:
    await living(home)

    with pytest.raises(Malformed):
        home.devices.handshake("lamp", portrait)
    with pytest.raises(Malformed):
        home.devices.handshake_of_stranger("stranger", portrait, station_id=STATION)


async def test_an_update_shows_a_device_under_the_name_it_was_given_meanwhile(ports: MemoryPorts, home: Home) -> None:
    device = await living(home)
    await ports.store.add_zone(Zone(id="hall", name="hall"))
    told = home.bus.subscribe(DeviceUpdated, bound=10)

    receipt = home.devices.handshake("lamp", PORTRAIT)
    renaming = home.household.update(device.id, name="Ceiling", zone_id="hall")
    await renaming
    await kept(receipt)

    updates = [event.device for event in told.take()]
    assert [(update.name, update.zone_id) for update in updates] == [("Ceiling", "hall")] * 2
    assert updates[-1].firmware_version == PORTRAIT.firmware_version
