"""Which way the station reaches the radio (STATION_BLE_TRANSPORT)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station_adapters.ble.bridge import BridgeRadio
from station_adapters.ble.radio import Radio
from station_adapters.ble.virtual import VirtualAir, VirtualRadio
from station_app.settings import BleTransport as Transport

if TYPE_CHECKING:
    from station_adapters.ble.antenna import Antenna
    from station_app.settings import Settings
    from station_core.provisioning.ports import BleTransport


def radio(settings: Settings, air: VirtualAir) -> BleTransport | None:
    """The radio of the settings, None for `off`; *air* is where a virtual one listens."""
    match settings.ble_transport:
        case Transport.BLEAK:
            return Radio(
                _antenna,
                service_uuid=settings.ble_service_uuid,
                characteristic_uuid=settings.ble_characteristic_uuid,
            )
        case Transport.BRIDGE:
            return BridgeRadio(
                service_uuid=settings.ble_service_uuid, characteristic_uuid=settings.ble_characteristic_uuid
            )
        case Transport.VIRTUAL:
            return VirtualRadio(air, settings.ble_service_uuid)
        case Transport.OFF:
            return None


def _antenna() -> Antenna:
    from station_adapters.ble.antenna import Antenna  # noqa: PLC0415  # bleak is dear to import: `Radio` does it in a thread

    return Antenna()
