from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from station_core.devices.model import Status
from station_core.errors import BrokerUnavailable, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_core.clock import Clock, Randomness
    from station_core.cloud.claim import Claim
    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceLink
    from station_core.devices.registry import Registry
    from station_core.values import Value

log = logging.getLogger("station.cloud")

TOLD_WITHIN: Final = 30.0  # seconds for the devices to be told before the station ends without
BACK_WITHIN: Final = 180.0  # seconds for devices to be back after a start: whoever isn't is told all the same
LOOKED_EVERY: Final = 1.0  # seconds
BACK_OFF: Final = (0.5, 30.0)  # seconds between attempts: first, longest


class StationReset:
    """
    The cloud gives the station up: who has claimed it is forgotten, and all devices are to forget it too.

    The store remembers that until the broker has the last device's command: whatever ends the station half way, its
    next run goes on. People and devices stay. `leaving` is set when the process is to end, with exit code 0.
    """

    def __init__(
        self,
        *,
        claim: Claim,
        registry: Registry,
        link: DeviceLink,
        clock: Clock,
        randomness: Randomness,
        station_id: str,
    ) -> None:
        self._claim = claim
        self._registry = registry
        self._link = link
        self._clock = clock
        self._randomness = randomness
        self._station_id = station_id
        self._begun = asyncio.Event()
        self.leaving = asyncio.Event()

    async def begin(self) -> None:
        """Begin it; again is no error. Returns once it can't be lost any more, or raises what the store raises."""
        devices = [cell.device.id for cell in self._registry]
        await self._claim.begin_reset(devices)
        log.warning("the cloud gives the station up", extra={"devices": len(devices)})
        self._begun.set()

    async def run(self) -> None:
        """Tell the devices, now or in a later run than that in which it began; until cancelled."""
        if self._claim.standing.unreset and not self._begun.is_set():
            log.warning("a reset is brought to its end", extra={"devices": len(self._claim.standing.unreset)})
            await self._tell_all(self._clock.monotonic() + BACK_WITHIN)
        await self._begun.wait()
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell_all(self._clock.monotonic()))
            patience = group.create_task(self._clock.sleep(TOLD_WITHIN))
            await asyncio.wait({telling, patience}, return_when=asyncio.FIRST_COMPLETED)
            if not telling.done():
                log.error("devices couldn't be told: the next run does it")
            telling.cancel()
            patience.cancel()
        self.leaving.set()

    async def _tell_all(self, back_by: float) -> None:
        pause, longest = BACK_OFF
        told: set[str] = set()
        there: set[str] = set()
        while (standing := self._claim.standing).unreset:
            try:
                left = [device_id for device_id in standing.unreset if device_id not in told]
                late = self._clock.monotonic() >= back_by
                # After a start nobody listens yet, and who has just introduced itself waits for its answer first.
                for device_id in left if late else there.intersection(left):
                    await self._tell(device_id)
                    told.add(device_id)
                if told.issuperset(standing.unreset):
                    await self._claim.end_reset(standing)
                else:
                    there = {device_id for device_id in left if self._is_there(device_id)}
                    await self._clock.sleep(LOOKED_EVERY)
            except (BrokerUnavailable, StoreUnavailable, StoreFull) as error:
                log.info("devices are told later", extra={"reason": str(error), "told": len(told)})
                await self._clock.sleep(pause)
                pause = min(pause * 2, longest)

    def _is_there(self, device_id: str) -> bool:
        """Whether it has spoken in this run; one that was removed needn't."""
        cell = self._registry.get(device_id)
        return cell is None or cell.device.status is Status.ONLINE

    async def _tell(self, device_id: str) -> None:
        cell = self._registry.get(device_id)
        if cell is not None:
            device = cell.device
            await self._link.send(device.station_id or self._station_id, device.external_id, self._command(device))

    def _command(self, device: Device) -> dict[str, Value]:
        command: dict[str, Value] = {"action": "factory_reset"}
        return {**command, "commandId": self._randomness.uuid()} if device.acks else command
