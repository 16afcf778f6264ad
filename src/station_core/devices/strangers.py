from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from station_core.devices.events import DeviceAdded
from station_core.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_core.clock import Clock
    from station_core.devices.credentials import Keyring
    from station_core.devices.ports import DeviceLink, DeviceStore
    from station_core.devices.registry import Cell, Registry
    from station_core.events import EventBus

log = logging.getLogger("station.devices")

LOOKUPS_PER_SECOND: Final = 20  # docs/protocols.md §1
NO_KEPT_FOR: Final = 10.0  # seconds, docs/protocols.md §1
WAITING_BOUND: Final = 1_000  # strangers; one that finds no room asks again by itself


class Strangers:
    """
    Devices that introduce themselves and that memory doesn't know: each is looked up in the store, one at a time.

    Only the store's own "no" makes an "unknown"; when it can't answer nothing is sent and the device tries again.
    """

    def __init__(
        self,
        *,
        store: DeviceStore,
        registry: Registry,
        keyring: Keyring,
        link: DeviceLink,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._registry = registry
        self._keyring = keyring
        self._link = link
        self._bus = bus
        self._clock = clock
        self._waiting: dict[str, str] = {}  # external id → station id, in the order of asking
        self._noes: dict[str, float] = {}  # external id → until when the store's "no" is believed
        self._wake = asyncio.Event()
        self.overlooked = 0

    def ask(self, station_id: str, external_id: str) -> None:
        """Have a stranger looked up; never waits. A fresh "no" answers at once."""
        if self._noes.get(external_id, 0.0) > self._clock.monotonic():
            self._link.answer_handshake(station_id, external_id, known=False)
        elif external_id in self._waiting or len(self._waiting) < WAITING_BOUND:
            self._waiting[external_id] = station_id
            self._wake.set()
        else:
            self.overlooked += 1

    def forget_no(self, external_id: str) -> None:
        """The store has come to know this device."""
        self._noes.pop(external_id, None)

    async def run(self) -> None:
        """Look strangers up until cancelled."""
        while True:
            await self._wake.wait()
            while self._waiting:
                external_id = next(iter(self._waiting))
                try:
                    known = await self._look_up(external_id)
                finally:
                    station_id = self._waiting.pop(external_id)
                if known is not None:
                    self._link.answer_handshake(station_id, external_id, known=known)
                await self._clock.sleep(1 / LOOKUPS_PER_SECOND)
            self._wake.clear()

    async def _look_up(self, external_id: str) -> bool | None:
        """Whether it is known, None when the store can't tell now."""
        # Nothing is added or removed meanwhile: the store's answer must not be older than what memory has learnt since.
        async with self._registry.changing:
            if self._registry.holds(external_id):
                return True
            try:
                known = await self.adopt(external_id) is not None
            except (StoreUnavailable, StoreFull):
                return None
            if not known:
                now = self._clock.monotonic()
                self._noes = {other: until for other, until in self._noes.items() if until > now}
                self._noes[external_id] = now + NO_KEPT_FOR
                log.info("unknown device told so", extra={"external_id": external_id})
            return known

    async def adopt(self, external_id: str) -> Cell | None:
        """
        Take a device that the store alone knows into memory; None when it doesn't either.

        Such a one was added by a commit whose answer was lost. For who is `changing` the registry. Raise
        `StoreUnavailable` or `StoreFull`.
        """
        found = await self._store.find(external_id)
        if found is None:
            return None
        device, credential = found
        log.warning("device found in the store alone, taken into memory", extra={"external_id": external_id})
        cell = self._registry.add(device, seen=self._clock.monotonic())
        if credential is not None:
            self._keyring.put(credential)
        self._bus.publish([DeviceAdded(device=device, timestamp=self._clock.now())])
        return cell
