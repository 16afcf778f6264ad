from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from station_core.errors import RadioUnavailable
from station_core.health import BLE
from station_core.provisioning.candidates import Candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_core.clock import Clock
    from station_core.events import EventBus
    from station_core.health import Health
    from station_core.provisioning.model import Sighting
    from station_core.provisioning.ports import BleTransport

log = logging.getLogger("station.provisioning")

EXPIRED_EVERY: Final = 1.0  # seconds
SILENT_AFTER: Final = 60.0  # seconds in which a scan heard nothing: some adapters stop without a word
ASK_AGAIN_AFTER: Final = 10.0  # seconds until a radio that isn't there is asked again
BEGIN_AGAIN_AFTER: Final = 1.0  # seconds after a scan that died


class Lookout:
    """
    Looks for new devices as long as somebody wants to see them (docs/protocols.md §2, "Scan lifecycle").

    The first viewer starts the scan, the last one to leave stops it and clears what was found. *radio* None: the
    station has been told to use no Bluetooth.
    """

    def __init__(
        self,
        *,
        radio: BleTransport | None,
        holds: Callable[[str], bool],
        bus: EventBus,
        health: Health,
        clock: Clock,
    ) -> None:
        self._radio = radio
        self._bus = bus
        self._health = health
        self._clock = clock
        self._viewers: set[object] = set()
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._heard = 0.0
        self._hears = False
        self.candidates = Candidates(clock, holds)
        self.restarts = 0

    def take(self, viewer: object) -> None:
        """The viewer looks from now on; again is no error."""
        self._viewers.add(viewer)
        self._wanted.set()
        self._idle.clear()

    def give_back(self, viewer: object) -> None:
        """The viewer doesn't look any more; again is no error."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self._wanted.clear()
            self._idle.set()
            self.candidates.clear()

    def views(self, viewer: object) -> bool:
        """Whether the viewer looks."""
        return viewer in self._viewers

    async def run(self) -> None:
        """Scan while there is a viewer, until cancelled; a radio that is away is asked again and again."""
        while (radio := self._radio) is None:
            await asyncio.Event().wait()  # nothing to do ever, and no failure either
        await self._find_radio(radio)
        while True:
            await self._wanted.wait()
            try:
                await self._scan(radio)
            except RadioUnavailable as error:
                self._lost(error)
                await self._clock.sleep(BEGIN_AGAIN_AFTER)
                await self._find_radio(radio)

    async def _find_radio(self, radio: BleTransport) -> None:
        """Return once the radio listens; nobody has to look for that."""
        while True:
            try:
                await _tried(radio)
            except RadioUnavailable as error:
                self._lost(error)
                await self._clock.sleep(ASK_AGAIN_AFTER)
            else:
                self._found()
                return

    async def _scan(self, radio: BleTransport) -> None:
        """Scan until the last viewer has left or nothing was heard for too long; raise `RadioUnavailable`."""
        self._heard, self._hears = self._clock.monotonic(), False
        lost: RadioUnavailable | None = None
        try:
            async with asyncio.TaskGroup() as group:
                scanning = group.create_task(radio.scan(self._see, started=self._found))
                watching = group.create_task(self._watch())
                await self._idle.wait()
                watching.cancel()
                scanning.cancel()
        except* RadioUnavailable as errors:
            lost = RadioUnavailable(str(errors.exceptions[0]))
        except* _Silent:
            self.restarts += 1
            # With nothing new in the house that is the normal case; what was heard and went silent is worth a line.
            weight = logging.WARNING if self._hears else logging.DEBUG
            log.log(weight, "the scan went silent and is begun anew", extra={"silent_seconds": SILENT_AFTER})
        if lost is not None:
            raise lost

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(EXPIRED_EVERY)
            self._bus.publish(self.candidates.expire())
            if self._clock.monotonic() - self._heard > SILENT_AFTER:
                raise _Silent

    def _see(self, sighting: Sighting) -> None:
        self._heard, self._hears = self._clock.monotonic(), True
        if self._viewers:
            self._bus.publish(self.candidates.seen(sighting))

    def _found(self) -> None:
        self._health.tell(BLE, up=True)

    def _lost(self, error: RadioUnavailable) -> None:
        self._health.tell(BLE, up=False, detail=str(error))


async def _tried(radio: BleTransport) -> None:
    """A scan until it has started; raise `RadioUnavailable` when it doesn't."""
    started = asyncio.Event()
    lost: RadioUnavailable | None = None
    try:
        async with asyncio.TaskGroup() as group:
            scanning = group.create_task(radio.scan(_overlook, started=started.set))
            await started.wait()
            scanning.cancel()
    except* RadioUnavailable as errors:
        lost = RadioUnavailable(str(errors.exceptions[0]))
    if lost is not None:
        raise lost


def _overlook(_: Sighting) -> None:
    """Nobody looks yet."""


class _Silent(Exception):  # a fact, not an error of anybody's
    """The scan may be dead."""
