"""A lamp of the household, what it bears, and what it's given by radio."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from station_adapters.memory.clock import settled
from station_core.errors import Unauthenticated
from station_core.provisioning.model import Known, Sighting, Wifi
from tests.unit.core.living import PORTRAIT, STATION

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.devices.model import Device
    from station_core.home import Home
    from station_core.provisioning.model import Attempt, Step

LAMP = Sighting(address="AA", external_id="lamp", device_type="light", known_by=Known.SERVICE_DATA, rssi=-60)


class Lamp:
    """A lamp of the household, and what it bears."""

    def __init__(self, home: Home, ports: MemoryPorts, device: Device, token: str) -> None:
        self.home = home
        self.ports = ports
        self.device = device
        self.former = token

    @property
    def written(self) -> str:
        """The token that was written to it last."""
        token: str = json.loads(self.ports.radio.written[-1][1])["device_token"]
        return token

    async def begun(self, *, again: bool = False) -> Attempt:
        attempt = self.home.provisioning.begin(external_id="lamp", again=again)
        await settled()
        return attempt

    async def speaks(self) -> None:
        self.home.devices.handshake("lamp", PORTRAIT, station_id=STATION)
        await self.home.journal.drained()
        await settled()

    def is_let_in(self, token: str) -> bool:
        """By HTTP."""
        try:
            return self.home.keyring.verify(token) == self.device.id
        except Unauthenticated:
            return False

    def enters(self, token: str) -> bool:
        """By MQTT."""
        return self.ports.door.admitted.get("lamp") == self.ports.door.digest(token)

    def outcome(self, attempt: Attempt) -> tuple[Step, str | None]:
        ended = self.home.provisioning.attempt(attempt.id)
        return ended.step, ended.code

    def is_where_it_was(self) -> bool:
        """Whether the former token alone opens everything, and nothing waits."""
        return self.is_let_in(self.former) and self.enters(self.former) and not self.home.keyring.successors()


async def in_sight(home: Home, ports: MemoryPorts) -> None:
    await ports.provisioning.keep_wifi(Wifi(ssid="home", password="canary-password"))
    home.lookout.take("anna")
    await settled()
    ports.radio.advertise(LAMP)
