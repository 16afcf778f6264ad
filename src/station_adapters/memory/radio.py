from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from station_core.errors import RadioUnavailable
from station_core.provisioning.errors import NotInRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_core.errors import StationError
    from station_core.provisioning.model import Sighting


class MemoryRadio:
    """
    `BleTransport` by hand: `advertise` is what a scan hears, `refusals` what a write to an address meets.

    `fitted` False: there is no radio; taken away during a scan with `unplug`.
    """

    def __init__(self) -> None:
        self.fitted = True
        self.scans = 0
        """Scans that have begun."""
        self.refusals: dict[str, StationError] = {}
        self.written: list[tuple[str, bytes]] = []
        self._seen: Callable[[Sighting], None] | None = None
        self._in_range: set[str] = set()
        self._unplugged = asyncio.Event()

    @property
    def scanning(self) -> bool:
        """Whether a scan runs."""
        return self._seen is not None

    def advertise(self, sighting: Sighting) -> None:
        """A device is on the air once."""
        if self._seen is not None:
            self._in_range.add(sighting.address)
            self._seen(sighting)

    def unplug(self) -> None:
        """Take the radio away."""
        self.fitted = False
        self._unplugged.set()

    async def scan(self, seen: Callable[[Sighting], None], *, started: Callable[[], None]) -> None:
        """See `BleTransport`."""
        self._check()
        self._unplugged.clear()
        self.scans += 1
        self._seen = seen
        try:
            started()
            await self._unplugged.wait()
        finally:
            self._seen = None
        raise RadioUnavailable

    async def write(self, address: str, payload: bytes, *, connected: Callable[[], None]) -> None:
        """See `BleTransport`."""
        self._check()
        if address not in self._in_range:
            raise NotInRange
        connected()
        if address in self.refusals:
            raise self.refusals[address]
        self.written.append((address, payload))

    def _check(self) -> None:
        if not self.fitted:
            raise RadioUnavailable
