from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from station_core.errors import DeviceUnknown, StoreUnavailable
from station_core.values import MAX_MESSAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from station_core.devices.model import Device
    from station_core.values import Value


class Cell:
    """
    A device's place in memory.

    `device` is the newest, `kept` what the store is known to hold; `seen` is the monotonic time of its last message, or
    of the station's start; `gone` whether a will or silence took it offline in this run; `weight` bounds its state's
    size in bytes of JSON, until its first report by the most that it may be, and is the size itself of the state
    `weighed`.
    """

    __slots__ = ("beat_kept", "device", "gone", "kept", "seen", "weighed", "weight")

    def __init__(self, device: Device, *, seen: float) -> None:
        self.device = device
        self.kept = device
        self.seen = seen
        self.gone = False
        self.beat_kept = float("-inf")
        self.weight = MAX_MESSAGE
        self.weighed: Mapping[str, Value] | None = None

    @property
    def told(self) -> Device:
        """The device as of the events that were published: what it has reported since isn't kept yet."""
        kept, device = self.kept, self.device
        if kept.name == device.name and kept.zone_id == device.zone_id:
            return kept
        # Name and zone aren't the journal's: they were kept and told at once.
        return kept.renamed(device.name, device.zone_id, at=max(kept.updated_at, device.updated_at))


class Registry:
    """
    All devices, in memory.

    `changing` is held while which devices there are changes, or is compared with what the store says. `doubted`: the
    store may hold something else, for it went away in the middle of a change.
    """

    def __init__(self) -> None:
        self.changing = asyncio.Lock()
        self.doubted = asyncio.Event()
        self._by_id: dict[str, Cell] = {}
        self._by_external_id: dict[str, Cell] = {}

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold `changing` for a change of devices or zones."""
        async with self.changing:
            try:
                yield
            except StoreUnavailable:
                self.doubted.set()
                raise

    def __iter__(self) -> Iterator[Cell]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def load(self, devices: Iterable[Device], *, seen: float) -> None:
        """Hold exactly these, none heard of yet."""
        self._by_id.clear()
        self._by_external_id.clear()
        for device in devices:
            self.add(device, seen=seen)

    def add(self, device: Device, *, seen: float) -> Cell:
        """Hold a device that the store holds."""
        cell = Cell(device, seen=seen)
        self._by_id[device.id] = self._by_external_id[device.external_id] = cell
        return cell

    def drop(self, device_id: str) -> None:
        """Forget a device; none is no error."""
        cell = self._by_id.pop(device_id, None)
        if cell is not None:
            self._by_external_id.pop(cell.device.external_id, None)

    def get(self, device_id: str) -> Cell | None:
        """The device's cell, None when there's none."""
        return self._by_id.get(device_id)

    def holds(self, external_id: str) -> bool:
        """Whether a device bears this external id."""
        return external_id in self._by_external_id

    def known(self, device_id: str) -> Cell:
        """The device's cell, or raise `DeviceUnknown`."""
        try:
            return self._by_id[device_id]
        except KeyError:
            raise DeviceUnknown from None

    def named(self, external_id: str) -> Cell:
        """The cell of the device that bears this external id, or raise `DeviceUnknown`."""
        try:
            return self._by_external_id[external_id]
        except KeyError:
            raise DeviceUnknown from None
