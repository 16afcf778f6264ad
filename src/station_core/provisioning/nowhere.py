from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.errors import RadioUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from station_core.audit.model import Deed
    from station_core.provisioning.model import Sighting, Wifi


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

    async def keep_wifi(self, wifi: Wifi, *, deed: Deed | None = None) -> None:  # noqa: ARG002  # the port's
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(f"This home can't keep the network {wifi.ssid}: it keeps nothing of provisioning.")


class NoRadio:
    """The `BleTransport` of a home without any."""

    async def scan(self, seen: Callable[[Sighting], None], *, started: Callable[[], None]) -> None:  # noqa: ARG002  # the port's
        """Raise `RadioUnavailable`."""
        raise RadioUnavailable

    async def write(self, address: str, payload: bytes, *, connected: Callable[[], None]) -> None:  # noqa: ARG002  # same
        """Raise `RadioUnavailable`."""
        raise RadioUnavailable
