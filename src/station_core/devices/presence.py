from __future__ import annotations

from typing import TYPE_CHECKING, Final

from station_core.devices.model import Status

if TYPE_CHECKING:
    from station_core.clock import Clock
    from station_core.devices.ports import DeviceChange
    from station_core.devices.registry import Cell, Registry
    from station_core.devices.service import DeviceService
    from station_core.journal import Journal

SILENCE: Final = 180.0  # seconds without a message that make a device offline (docs/protocols.md §1)
CHECKED_EVERY: Final = 60.0  # seconds (docs/protocols.md §1)


class Presence:
    """
    Who is there: a device that is silent for three minutes is called offline.

    Silence counts only while the station can hear, which it doesn't until it is told so.
    """

    def __init__(
        self, *, registry: Registry, devices: DeviceService, journal: Journal[DeviceChange], clock: Clock
    ) -> None:
        self._registry = registry
        self._devices = devices
        self._journal = journal
        self._clock = clock
        self._hears = False
        self._deaf_until = float("-inf")

    def deafened(self) -> None:
        """The station can't hear (the broker is away): silence says nothing now."""
        self._hears = False

    def hearing(self) -> None:
        """The station hears again: every device has the whole time anew."""
        if not self._hears:
            self._hears = True
            self._deaf_until = self._clock.monotonic()

    def reachable(self, cell: Cell) -> bool:
        """Whether a command may be sent: not after a will, nor after three minutes of silence in this run."""
        if cell.device.status is Status.ONLINE:
            return True
        return not cell.gone and not self._silent(cell)

    def check(self) -> None:
        """Call offline whoever has been silent too long."""
        if self._journal.full or self._journal.trouble is not None:
            # What devices say waits unread at the edges, or in a broker that waits for acknowledgements.
            self._deaf_until = self._clock.monotonic()
        for cell in self._registry:
            if cell.device.status is Status.ONLINE and self._silent(cell):
                self._devices.lose(cell)

    async def run(self) -> None:
        """Check every minute, until cancelled."""
        while True:
            await self._clock.sleep(CHECKED_EVERY)
            self.check()

    def _silent(self, cell: Cell) -> bool:
        if not self._hears:
            return False
        return self._clock.monotonic() - max(cell.seen, self._deaf_until) > SILENCE
