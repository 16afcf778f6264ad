from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from station_core.devices.events import DeviceUpdated
from station_core.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_core.clock import Clock
    from station_core.devices.credentials import Keyring
    from station_core.devices.household import Household
    from station_core.devices.ports import DeviceStore, Standing
    from station_core.devices.registry import Registry
    from station_core.devices.zones import Zones
    from station_core.events import EventBus

log = logging.getLogger("station.devices")

LOOKED_AGAIN_AFTER: Final = 1.0  # seconds


class Doubts:
    """
    Brings memory in step with the store behind a change of which nobody heard whether it was kept.

    The store's word holds for which devices and zones there are, for names, for places, and for who has no credentials
    any more. A token that was kept but never shown stays unknown: whoever asks for one again gets one.
    """

    def __init__(
        self,
        *,
        store: DeviceStore,
        registry: Registry,
        keyring: Keyring,
        household: Household,
        zones: Zones,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._registry = registry
        self._keyring = keyring
        self._household = household
        self._zones = zones
        self._bus = bus
        self._clock = clock

    async def run(self) -> None:
        """Look at the store soon after there is doubt, and until it answers; until cancelled."""
        while True:
            await self._registry.doubted.wait()
            await self._clock.sleep(LOOKED_AGAIN_AFTER)
            try:
                await self._store.zones()  # a store that doesn't answer is waited for before anybody else has to wait
                async with self._registry.changing:
                    await self._settle(await self._store.standing())
                    self._registry.doubted.clear()
            except (StoreUnavailable, StoreFull):
                continue

    async def _settle(self, standing: Standing) -> None:
        self._zones.hold(standing.zones)
        stored = {device.id: device for device in standing.devices}
        for cell in self._registry:
            mine, theirs = cell.device, stored.pop(cell.device.id, None)
            if theirs is None:
                self._told("removed", mine.id)
                await self._household.forget(mine, at=self._clock.now())
                continue
            if (mine.name, mine.zone_id) != (theirs.name, theirs.zone_id):
                self._told("changed", mine.id)
                cell.device = mine.renamed(theirs.name, theirs.zone_id, at=max(mine.updated_at, theirs.updated_at))
                self._bus.publish([DeviceUpdated(device=cell.told, timestamp=self._clock.now())])
            if mine.id not in standing.entitled and self._keyring.holds(mine.id):
                self._told("revoked", mine.id)
                await self._household.lock_out(mine)
        for device in stored.values():
            await self._household.show(device.external_id)

    def _told(self, what: str, device_id: str) -> None:
        log.warning("a change whose answer was lost was kept", extra={"change": what, "device_id": device_id})
