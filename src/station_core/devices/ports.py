from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from station_core.devices.activity import EVERYTHING
from station_core.journal import Keeper

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from station_core.audit.model import Deed
    from station_core.devices.activity import ActivityFilter, ActivityPage
    from station_core.devices.credentials import Account, Credential, Successor
    from station_core.devices.model import Device
    from station_core.devices.types import DeviceType
    from station_core.devices.zones import Zone
    from station_core.events import Event
    from station_core.journal import Delivery
    from station_core.values import Value


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """A device after something was reported, what happened by it, and who did it: the journal's unit."""

    device: Device
    events: Sequence[Event]
    deeds: Sequence[Deed] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """All that the store holds of devices, and where the journal stands: last batch, and each one's deliveries."""

    devices: Sequence[Device]
    credentials: Sequence[Credential]
    successors: Sequence[Successor]
    last_batch: int
    deliveries: Mapping[int, Sequence[Delivery]]
    """By the number of the batch that brought them, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What people have made of devices and zones; *entitled*: ids of devices with credentials, if only next ones."""

    devices: Sequence[Device]
    entitled: Collection[str]
    zones: Sequence[Zone]


class DeviceStore(Keeper[DeviceChange], Protocol):
    """
    The durable side of the station's memory.

    Every method is atomic: after it returns, its effect survives a power cut; when it raises, or is cancelled before
    its effect is certain, nothing of it is visible. A cancellation that comes too late is passed over: the method
    returns. All raise `StoreUnavailable` when the store can't answer and `StoreFull` when the disk is full; the caller
    keeps what it holds and may ask again.

    `commit` keeps, of each change in order, the device's reported side (state, status, times, type, firmware, chip, kit
    tag, session, acks, station id: never name or zone) and an activity for each event that has a `line`. A device that
    isn't there any more stays away; its activities are kept.

    With a change it keeps what the cloud is to hear of it (see `Outbox`), as one: an activity's id is its letter's.
    """

    async def load(self) -> Loaded:
        """Everything, in no particular order; all devices are offline from now on, which makes no activity."""
        ...

    async def standing(self) -> Standing:
        """What holds by now, behind all that a former connection may still be committing; it changes nothing."""
        ...

    async def find(self, external_id: str) -> tuple[Device, Credential | None] | None:
        """The device by its external id; None is the only ground on which a device may be told that it's unknown."""
        ...

    async def add(self, device: Device, credential: Credential, *, deed: Deed | None = None) -> None:
        """Keep a new device; raise `ExternalIdTaken`, or `NotFound` for a zone that isn't there."""
        ...

    async def rename(self, device: Device, *, deed: Deed | None = None) -> None:
        """Keep name, zone and `updated_at`, nothing else; raise `DeviceUnknown`, or `NotFound` for the zone."""
        ...

    async def remove(self, device_id: str, *, at: datetime, deed: Deed | None = None) -> None:
        """Forget the device and its credential, not its activities; raise `DeviceUnknown`. *at* labels the letter."""
        ...

    async def replace_types(self, types: Sequence[DeviceType]) -> None:
        """Keep exactly these device types."""
        ...

    async def zones(self) -> Sequence[Zone]:
        """All zones, in no particular order."""
        ...

    async def add_zone(self, zone: Zone, *, deed: Deed | None = None) -> None:
        """Keep a new zone; raise `ZoneNameTaken` when another bears its folded name."""
        ...

    async def rename_zone(self, zone: Zone, *, deed: Deed | None = None) -> None:
        """Keep the zone's name; raise `NotFound`, or as `add_zone`."""
        ...

    async def remove_zone(self, zone_id: str, *, at: datetime, deed: Deed | None = None) -> None:
        """Forget the zone; devices that were in it are in none, `updated_at` *at*. Raise `NotFound`."""
        ...

    async def set_credential(self, device_id: str, credential: Credential | None, *, deed: Deed | None = None) -> None:
        """Keep a device's credential in place of all that it had, or none any more; raise `DeviceUnknown`."""
        ...

    async def set_successor(self, device_id: str, successor: Successor | None, *, deed: Deed | None = None) -> None:
        """Keep what a device is to have next beside what it has, or nothing any more; raise `DeviceUnknown`."""
        ...

    async def activities(
        self, wanted: ActivityFilter = EVERYTHING, *, limit: int = 50, cursor: str | None = None
    ) -> ActivityPage:
        """
        The feed, newest first: what happens meanwhile neither shifts a page nor comes into one that follows.

        Raise `Malformed` for a cursor that is none of ours.
        """
        ...

    async def forget_activities(self, *, before: datetime, limit: int) -> int:
        """
        Forget at most *limit* of those dated between `RELEASED` and *before*, oldest first, and return how many.

        What has no plausible date (by a clock that was wrong) goes with the first of these that came after it.
        """
        ...


class DeviceLink(Protocol):
    """The way to the devices."""

    async def send(self, station_id: str, external_id: str, command: Mapping[str, Value]) -> None:
        """Return when the broker has the command (QoS 1); raise `BrokerUnavailable` when it hasn't within 5 s."""
        ...

    def answer_handshake(self, station_id: str, external_id: str, *, known: bool) -> None:
        """
        Tell a device whether the station knows it; never waits, and may be lost: the device asks again.

        A device that is told "unknown" several times resets itself: say so only on the store's word.
        """
        ...

    async def clear(self, station_id: str, external_id: str) -> None:
        """
        Have the broker forget what it retains of a device under this station id.

        Return when it has; raise `BrokerUnavailable` when it hasn't within a second or so.
        """
        ...


class BrokerDoor(Protocol):
    """The broker's list of who may enter; a broker that keeps its own list admits whom it likes."""

    def digest(self, token: str) -> str:
        """The form in which this broker verifies *token*; kept with the device, never the token."""
        ...

    async def admit(self, accounts: Sequence[Account]) -> None:
        """
        Let in exactly these; returns when the broker answers by the new list.

        Raise `BrokerUnavailable` when it can't be made so now, or what the disk says when the list can't be written.
        The door goes on trying then, as when this is cancelled, with the newest list, until the broker answers by it.
        """
        ...
