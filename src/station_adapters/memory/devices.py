from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from station_adapters.memory.audit import Ledger
from station_adapters.memory.chronicle import Chronicle
from station_adapters.memory.content import check_content
from station_adapters.memory.outbox import MemoryOutbox
from station_core.devices.activity import EVERYTHING, Activity, ActivityPage, line
from station_core.devices.events import DeviceDeleted
from station_core.devices.model import Status
from station_core.devices.ports import Loaded, Standing
from station_core.errors import DeviceUnknown, ExternalIdTaken, NotFound, ZoneNameTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from station_core.audit.model import Deed
    from station_core.clock import Randomness
    from station_core.devices.activity import ActivityFilter, Line
    from station_core.devices.credentials import Credential, Successor
    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceChange
    from station_core.devices.types import DeviceType
    from station_core.devices.zones import Zone
    from station_core.errors import StationError
    from station_core.journal import Batch, Delivery

T = TypeVar("T")


class MemoryDeviceStore:
    """
    A `DeviceStore` without a database; what it holds outlives the station that uses it, as a disk would.

    `trouble` is what every call raises while it is set, instead of having an effect. Deeds go into the *ledger*, what
    the cloud is to hear into the *outbox*.
    """

    def __init__(
        self, randomness: Randomness, ledger: Ledger | None = None, outbox: MemoryOutbox | None = None
    ) -> None:
        self._randomness = randomness
        self.ledger = Ledger() if ledger is None else ledger
        self._outbox = MemoryOutbox() if outbox is None else outbox
        self._devices: dict[str, Device] = {}
        self._credentials: dict[str, Credential] = {}
        self._successors: dict[str, Successor] = {}
        self._feed = Chronicle[Activity](lambda activity: activity.created_at)
        self._last_batch = 0
        self._deliveries: dict[int, list[Delivery]] = {}
        self.types: Sequence[DeviceType] = ()
        self._zones: dict[str, Zone] = {}
        self.trouble: StationError | None = None

    async def load(self) -> Loaded:
        """See `DeviceStore`."""
        return await self._atomic(self._load)

    async def commit(self, batch: Batch[DeviceChange]) -> None:
        """See `Keeper`."""
        await self._atomic(lambda: self._commit(batch))

    async def standing(self) -> Standing:
        """See `DeviceStore`."""
        return await self._atomic(
            lambda: Standing(
                devices=list(self._devices.values()),
                entitled=self._credentials.keys() | self._successors.keys(),
                zones=list(self._zones.values()),
            )
        )

    async def find(self, external_id: str) -> tuple[Device, Credential | None] | None:
        """See `DeviceStore`."""
        found = await self._atomic(lambda: self._by_external_id(external_id))
        return None if found is None else (found, self._credentials.get(found.id))

    async def add(self, device: Device, credential: Credential, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""

        def add() -> None:
            if self._by_external_id(device.external_id) is not None:
                raise ExternalIdTaken
            self._check_zone(device.zone_id)
            self._devices[device.id] = device
            self._credentials[device.id] = credential

        await self._atomic(add, deed)

    async def rename(self, device: Device, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""

        def rename() -> None:
            self._check_zone(device.zone_id)
            kept = self._known(device.id)
            self._devices[device.id] = replace(
                kept, name=device.name, zone_id=device.zone_id, updated_at=device.updated_at
            )

        await self._atomic(rename, deed)

    async def remove(self, device_id: str, *, at: datetime, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""

        def remove() -> None:
            name = self._known(device_id).name
            del self._devices[device_id]
            self._credentials.pop(device_id, None)
            self._successors.pop(device_id, None)
            self._outbox.forget_state(device_id)
            self._outbox.take(
                DeviceDeleted(device_id=device_id, device_name=name, timestamp=at), self._randomness.uuid()
            )

        await self._atomic(remove, deed)

    async def set_credential(self, device_id: str, credential: Credential | None, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""

        def keep() -> None:
            self._known(device_id)
            self._credentials.pop(device_id, None)
            self._successors.pop(device_id, None)
            if credential is not None:
                self._credentials[device_id] = credential

        await self._atomic(keep, deed)

    async def set_successor(self, device_id: str, successor: Successor | None, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""

        def keep() -> None:
            self._known(device_id)
            self._successors.pop(device_id, None)
            if successor is not None:
                self._successors[device_id] = successor

        await self._atomic(keep, deed)

    async def replace_types(self, types: Sequence[DeviceType]) -> None:
        """See `DeviceStore`."""

        def keep() -> None:
            self.types = tuple(types)

        await self._atomic(keep)

    async def zones(self) -> Sequence[Zone]:
        """See `DeviceStore`."""
        return await self._atomic(lambda: list(self._zones.values()))

    async def add_zone(self, zone: Zone, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        await self._atomic(lambda: self._put_zone(zone), deed)

    async def rename_zone(self, zone: Zone, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""

        def rename() -> None:
            self._check_zone(zone.id)
            self._put_zone(zone)

        await self._atomic(rename, deed)

    async def remove_zone(self, zone_id: str, *, at: datetime, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""

        def remove() -> None:
            self._check_zone(zone_id)
            del self._zones[zone_id]
            for device in [d for d in self._devices.values() if d.zone_id == zone_id]:
                self._devices[device.id] = replace(device, zone_id=None, updated_at=at)

        await self._atomic(remove, deed)

    async def activities(
        self, wanted: ActivityFilter = EVERYTHING, *, limit: int = 50, cursor: str | None = None
    ) -> ActivityPage:
        """See `DeviceStore`."""
        found, more = await self._atomic(
            lambda: self._feed.page(lambda item: self._is_wanted(item, wanted), limit, cursor)
        )
        return ActivityPage(items=[item for _, item in found], next_cursor=more)

    async def forget_activities(self, *, before: datetime, limit: int) -> int:
        """See `DeviceStore`."""
        return await self._atomic(lambda: self._feed.forget(before, limit))

    async def _atomic(self, effect: Callable[[], T], deed: Deed | None = None) -> T:
        await asyncio.sleep(0)  # a store is never reached without waiting: what may come in between does
        if self.trouble is not None:
            raise self.trouble
        return self.ledger.with_deed(effect, deed)

    def _load(self) -> Loaded:
        self._devices = {d.id: replace(d, status=Status.OFFLINE) for d in self._devices.values()}
        return Loaded(
            devices=list(self._devices.values()),
            credentials=list(self._credentials.values()),
            successors=list(self._successors.values()),
            last_batch=self._last_batch,
            deliveries=dict(self._deliveries),
        )

    def _commit(self, batch: Batch[DeviceChange]) -> None:
        if batch.number <= self._last_batch:
            return
        for change in batch.changes:
            _check_content(change)
            self.ledger.check(change.deeds)
        for change in batch.changes:
            kept = self._devices.get(change.device.id)
            if kept is not None:
                self._devices[kept.id] = replace(change.device, name=kept.name, zone_id=kept.zone_id)
            for event in change.events:
                event_id = self._randomness.uuid()
                if (told := line(event)) is not None:
                    self._feed.add([_activity(told, event_id)])
                if kept is not None or told is not None:
                    self._outbox.take(event, event_id)
            self.ledger.add(change.deeds)
        self._last_batch = batch.number
        self._deliveries = {number: kept for number, kept in self._deliveries.items() if number >= batch.oldest}
        if batch.deliveries:
            self._deliveries[batch.number] = list(batch.deliveries)

    def _is_wanted(self, item: Activity, wanted: ActivityFilter) -> bool:
        device = self._devices.get(item.device_id)
        return (
            (wanted.device_id is None or item.device_id == wanted.device_id)
            and (wanted.zone_id is None or (device is not None and device.zone_id == wanted.zone_id))
            and (not wanted.event_types or item.event_type in wanted.event_types)
            and (wanted.since is None or item.created_at >= wanted.since)
            and (wanted.until is None or item.created_at < wanted.until)
        )

    def _by_external_id(self, external_id: str) -> Device | None:
        return next((d for d in self._devices.values() if d.external_id == external_id), None)

    def _known(self, device_id: str) -> Device:
        try:
            return self._devices[device_id]
        except KeyError:
            raise DeviceUnknown from None

    def _put_zone(self, zone: Zone) -> None:
        if any(other.folded == zone.folded and other.id != zone.id for other in self._zones.values()):
            raise ZoneNameTaken
        self._zones[zone.id] = zone

    def _check_zone(self, zone_id: str | None) -> None:
        if zone_id is not None and zone_id not in self._zones:
            raise NotFound("There is no such zone.")


def _activity(told: Line, activity_id: str) -> Activity:
    return Activity(
        id=activity_id,
        device_id=told.device_id,
        device_name=told.device_name,
        device_type=told.device_type,
        event_type=told.event_type,
        payload=told.payload,
        created_at=told.created_at,
    )


def _check_content(change: DeviceChange) -> None:
    told = [kept.payload for event in change.events if (kept := line(event)) is not None]
    check_content([dict(change.device.state), *map(dict, told)])
