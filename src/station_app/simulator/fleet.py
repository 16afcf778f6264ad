from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from station_app.simulator.driver import VirtualDevice
from station_app.simulator.link import Traffic
from station_app.simulator.make import Make, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from station_app.simulator.firmware import Phase
    from station_app.simulator.link import Home

T = TypeVar("T", Tally, Traffic)


class Fleet:
    """Many virtual devices in one loop, several hundred on one core."""

    def __init__(self, devices: Iterable[VirtualDevice] = ()) -> None:
        self._devices = {device.external_id: device for device in devices}
        self._group: asyncio.TaskGroup | None = None

    @classmethod
    def of(cls, members: Iterable[tuple[str, str, str | None]], home: Home, **make: Any) -> Fleet:
        """A fleet of (external id, type, token), all at the same *home*; *make* is what else `Make` takes."""
        return cls(
            VirtualDevice(Make(external_id=external_id, type=kind, **make), home, token)
            for external_id, kind, token in members
        )

    def __getitem__(self, external_id: str) -> VirtualDevice:
        return self._devices[external_id]

    def __iter__(self) -> Iterator[VirtualDevice]:
        return iter(self._devices.values())

    def __len__(self) -> int:
        return len(self._devices)

    def add(self, device: VirtualDevice) -> None:
        """Take one more in; while the fleet runs it boots at once."""
        self._devices[device.external_id] = device
        if self._group is not None:
            self._group.create_task(device.run())

    async def run(self) -> None:
        """Let all live until cancelled; each says good-bye then."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for device in self:
                    group.create_task(device.run())
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    async def until_all(self, phase: Phase) -> None:
        """Return once every device has been seen in this phase."""
        for device in self:
            await device.until(lambda device: device.phase is phase)

    def phases(self) -> Counter[Phase]:
        """How many devices are in which phase."""
        return Counter(device.phase for device in self)

    def tally(self) -> Tally:
        """What all devices together have done."""
        return _total(Tally, [device.firmware.tally for device in self])

    def traffic(self) -> Traffic:
        """What all devices together have sent and received."""
        return _total(Traffic, [device.traffic for device in self])


def _total(kind: type[T], parts: list[T]) -> T:
    totals = kind()
    for part in parts:
        for field in fields(kind):
            setattr(totals, field.name, getattr(totals, field.name) + getattr(part, field.name))
    return totals
