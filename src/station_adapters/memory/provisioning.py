from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from station_adapters.memory.audit import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.audit.model import Deed
    from station_core.errors import StationError
    from station_core.provisioning.model import Wifi


class MemoryProvisioningStore:
    """A `ProvisioningStore` without a database; `trouble` is what every call raises while it is set."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self._reserved: list[str] = []
        self._wifi: Wifi | None = None
        self.trouble: StationError | None = None

    async def reserve(self, device_id: str) -> None:
        """See `ProvisioningStore`."""
        await self._reach()
        if device_id not in self._reserved:
            self._reserved.append(device_id)

    async def release(self, device_id: str) -> None:
        """See `ProvisioningStore`."""
        await self._reach()
        if device_id in self._reserved:
            self._reserved.remove(device_id)

    async def reserved(self) -> Sequence[str]:
        """See `ProvisioningStore`."""
        await self._reach()
        return tuple(self._reserved)

    async def wifi(self) -> Wifi | None:
        """See `ProvisioningStore`."""
        await self._reach()
        return self._wifi

    async def keep_wifi(self, wifi: Wifi, *, deed: Deed | None = None) -> None:
        """See `ProvisioningStore`."""
        await self._reach()

        def keep() -> None:
            self._wifi = wifi

        self.ledger.with_deed(keep, deed)

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # a store is never reached without waiting
        if self.trouble is not None:
            raise self.trouble
