"""Who brought a device home, and who didn't let it be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station_adapters.memory.clock import settled
from station_core.audit.model import INSTALLER, SYSTEM, Action, Actor, ActorKind, SubjectKind
from station_core.provisioning.errors import ConnectFailed
from station_core.provisioning.model import Known, Sighting, Wifi

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home

ANNA = Actor(kind=ActorKind.USER, id="anna")
PIR = Sighting(address="AA", external_id="a1b2c3", device_type="pir", known_by=Known.SERVICE_DATA, rssi=-60)


async def test_who_begins_and_who_ends_it_is_recorded(home: Home, ports: MemoryPorts) -> None:
    await ports.provisioning.keep_wifi(Wifi(ssid="home", password="canary-password"))
    home.lookout.take("anna")
    await settled()
    ports.radio.advertise(PIR)
    by_anna = home.provisioning.begin(external_id="a1b2c3", name="Hall", by=ANNA)
    await settled()
    home.provisioning.cancel(by_anna.id, by=INSTALLER)
    home.provisioning.cancel(by_anna.id, by=ANNA)
    await settled()
    ports.radio.refusals["AA"] = ConnectFailed()
    home.provisioning.begin(external_id="a1b2c3", name="Hall", by=ANNA)
    await home.audit.drained()
    await settled()

    deeds = [record.deed for record in reversed((await ports.audit.records()).items)]
    ends = [(deed.actor, deed.action, deed.result) for deed in deeds if deed.subject.name == "a1b2c3"]
    assert ends == [
        (ANNA, Action.PROVISIONING_BEGIN, "done"),
        (INSTALLER, Action.PROVISIONING_END, "cancelled"),
        (ANNA, Action.PROVISIONING_BEGIN, "done"),
        (ANNA, Action.PROVISIONING_END, "connect_failed"),
    ]
    changed = [(deed.actor, deed.action) for deed in deeds if deed.subject.kind is SubjectKind.DEVICE]
    assert changed == [(ANNA, Action.DEVICE_ADD), (SYSTEM, Action.DEVICE_REMOVE)] * 2
