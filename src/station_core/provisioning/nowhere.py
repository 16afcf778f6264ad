from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.provisioning.model import Wifi


class Nowhere:
    """The `ProvisioningStore` of a home that brings no devices in by radio: it keeps nothing, and says so."""

    async def reserve(self, device_id: str) -> None:
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(f"This home can't reserve {device_id}: it keeps nothing of provisioning.")

    async def release(self, device_id: str) -> None:
        """Nothing is reserved."""

    async def reserved(self) -> Sequence[str]:
        """Nothing is."""
        return ()

    async def wifi(self) -> Wifi | None:
        """Nobody has told it."""
        return None

    async def keep_wifi(self, wifi: Wifi) -> None:
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(f"This home can't keep the network {wifi.ssid}: it keeps nothing of provisioning.")
