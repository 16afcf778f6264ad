"""The demo's factory-fresh devices: on the virtual air until they are given a home, then on MQTT with what they got."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from station_adapters.ble.virtual import Peripheral, Trouble
from station_adapters.system.files import read_private, write_atomically
from station_app.simulator.driver import VirtualDevice
from station_app.simulator.link import Home as MqttHome
from station_app.simulator.make import Make

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from station_adapters.ble.virtual import VirtualAir
    from station_app.simulator.fleet import Fleet

FRESH: Final = {"demo-fresh-lamp": "light", "demo-fresh-pir": "pir"}
"""External id → type."""


class FreshDevices:
    """
    Two devices as from the factory: what is written to one over the air is all that it knows of its new home.

    What each was given is kept in *folder*, as in a device's flash.
    """

    def __init__(self, air: VirtualAir, fleet: Fleet, folder: Path, service_uuid: str) -> None:
        self._air = air
        self._fleet = fleet
        self._path = folder / "flash.json"
        self._service_uuid = service_uuid
        self._flash: dict[str, str] = json.loads(read_private(self._path)) if self._path.exists() else {}

    def wake(self, household: Sequence[str]) -> None:
        """Those that are in the *household* (external ids) join it again, the others wait on the air for a home."""
        for n, (external_id, kind) in enumerate(FRESH.items(), 1):
            if external_id in household and external_id in self._flash:
                self._join(self._flash[external_id])
            else:
                self._advertise(f"F0:F1:F2:F3:F4:{n:02X}", external_id, kind)

    def _advertise(self, address: str, external_id: str, kind: str) -> None:
        device = Peripheral(
            address=address, service_data={self._service_uuid: f"{kind}:{external_id}".encode()}, rssi=-48
        )

        def took(payload: bytes) -> None:
            device.trouble = Trouble.OUT_OF_RANGE  # it reboots, and has no use for the air any more
            self._flash[external_id] = payload.decode()
            write_atomically(self._path, json.dumps(self._flash).encode())
            self._join(self._flash[external_id])

        device.took = took
        self._air.place(device)

    def _join(self, payload: str) -> None:
        told = json.loads(payload)
        home = MqttHome(host=told["mqtt_host"], port=told["mqtt_port"], station_id=told["station_id"])
        make = Make(external_id=told["device_id"], type=FRESH[told["device_id"]])
        self._fleet.add(VirtualDevice(make, home, told["device_token"]))
