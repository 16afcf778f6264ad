from __future__ import annotations

from typing import TYPE_CHECKING, Final

from station_core.devices.model import Status

if TYPE_CHECKING:
    from station_core.clock import Clock
    from station_core.devices.registry import Cell, Registry
    from station_core.devices.service import DeviceService

SILENCE: Final = 180.0  # seconds without a message that make a device offline (docs/protocols.md §1)
CHECKED_EVERY: Final = 60.0  # seconds (docs/protocols.md §1)


class Presence:
    """Who is there: a device that is silent for three minutes is called offline."""

    def __init__(self, *, registry: Registry, devices: DeviceService, clock: Clock) -> None:
        self._registry = registry
        self._devices = devices
        self._clock = clock
        self._deaf_since: float | None = None
        self._deaf_until = float("-inf")

    def deafened(self) -> None:
        """The station can't hear (the broker is away): silence says nothing now."""
        if self._deaf_since is None:
            self._deaf_since = self._clock.monotonic()

    def hearing(self) -> None:
        """The station hears again: every device has the whole time anew."""
        if self._deaf_since is not None:
            self._deaf_since = None
            self._deaf_until = self._clock.monotonic()

    def reachable(self, cell: Cell) -> bool:
        """Whether a command may be sent: not after a will, nor after three minutes of silence in this run."""
        if cell.device.status is Status.ONLINE:
            return True
        return not cell.gone and not self._silent(cell)

    def check(self) -> None:
        """Call offline whoever has been silent too long."""
        for cell in self._registry:
            if cell.device.status is Status.ONLINE and self._silent(cell):
                self._devices.lose(cell)

    async def run(self) -> None:
        """Check every minute, until cancelled."""
        while True:
            await self._clock.sleep(CHECKED_EVERY)
            self.check()

    def _silent(self, cell: Cell) -> bool:
        if self._deaf_since is not None:
            return False
        return self._clock.monotonic() - max(cell.seen, self._deaf_until) > SILENCE
