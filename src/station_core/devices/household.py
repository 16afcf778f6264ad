from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from station_core.audit.model import NOTHING, SYSTEM, Action, Deed
from station_core.devices.events import DeviceAdded, DeviceDeleted, DeviceUpdated
from station_core.devices.model import Device
from station_core.errors import (
    BrokerUnavailable,
    Conflict,
    DeviceUnknown,
    ExternalIdTaken,
    Malformed,
    Stale,
    StoreFull,
    StoreUnavailable,
)
from station_core.values import external_id as checked_external_id
from station_core.values import tag, text_weight

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from datetime import datetime

    from station_core.audit.model import Actor
    from station_core.clock import Clock, Randomness
    from station_core.devices.credentials import Keyring
    from station_core.devices.ports import DeviceChange, DeviceLink, DeviceStore
    from station_core.devices.registry import Registry
    from station_core.devices.service import DeviceService
    from station_core.devices.strangers import Strangers
    from station_core.devices.types import DeviceType
    from station_core.events import EventBus
    from station_core.journal import Journal
    from station_core.values import Value

log = logging.getLogger("station.devices")

NAME_BOUND: Final = 100  # characters of a device's name


class Unchanged:
    """Stands for a field that a change leaves as it is."""


UNCHANGED: Final = Unchanged()


class Household:
    """
    Which devices belong to the station: added, renamed, removed by people.

    Store first: one transaction, with the deed of who wanted it (*by*), then memory, then the events. Raises
    `StoreUnavailable` or `StoreFull` when it can't be kept now; a caller that gives up (cancellation) before it's
    certain withdraws it.
    """

    def __init__(
        self,
        *,
        store: DeviceStore,
        registry: Registry,
        keyring: Keyring,
        strangers: Strangers,
        devices: DeviceService,
        link: DeviceLink,
        journal: Journal[DeviceChange],
        bus: EventBus,
        clock: Clock,
        randomness: Randomness,
        station_id: str,
    ) -> None:
        self._store = store
        self._registry = registry
        self._keyring = keyring
        self._strangers = strangers
        self._devices = devices
        self._link = link
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._randomness = randomness
        self._station_id = station_id

    async def load(self, types: Sequence[DeviceType]) -> None:
        """Take the store's devices and credentials into memory, its journal's place, and tell the broker's door."""
        await self._store.replace_types(types)
        loaded = await self._store.load()
        self._registry.load(loaded.devices, seen=self._clock.monotonic())
        self._keyring.load(loaded.credentials, loaded.successors)
        self._journal.resume(loaded.last_batch, loaded.deliveries)
        with suppress(BrokerUnavailable):  # it starts with this list, or is told later
            await self._keyring.open_door()

    def devices(self) -> Sequence[Device]:
        """All devices by name."""
        return sorted((cell.device for cell in self._registry), key=lambda d: (d.name.casefold(), d.id))

    def told(self) -> Sequence[Device]:
        """All devices as of the events that were published, by name: where somebody who listens from now on begins."""
        return sorted((cell.told for cell in self._registry), key=lambda d: (d.name.casefold(), d.id))

    def device(self, device_id: str) -> Device:
        """One device, or raise `DeviceUnknown`."""
        return self._registry.known(device_id).device

    async def add(
        self,
        *,
        external_id: str,
        name: str,
        type_id: str,
        zone_id: str | None = None,
        device_id: str | None = None,
        by: Actor = SYSTEM,
    ) -> tuple[Device, str]:
        """
        A new device and its token, which is shown this once and opens the broker when this returns.

        *device_id*: the UUID that it shall have, else a fresh one.

        Raise `ExternalIdInvalid`, `ExternalIdTaken`, `Malformed`, `NotFound` for the zone, or `BrokerUnavailable` when
        the door can't be opened for it now: the device isn't added then.
        """
        at = self._clock.now()
        device = Device(
            id=device_id or self._randomness.uuid(),
            external_id=checked_external_id(external_id),
            name=checked_name(name),
            type=tag(type_id),
            zone_id=zone_id,
            created_at=at,
            updated_at=at,
        )
        token, credential = self._keyring.issue(device.id, device.external_id)
        async with self._registry.turn():
            if self._registry.holds(device.external_id):
                raise ExternalIdTaken
            # The door first, then the store: nobody has the token yet, and what fails leaves nothing to take back.
            self._keyring.put(credential)
            try:
                await self._keyring.open_door()
                detail = {"externalId": device.external_id, "type": device.type}
                await self._store.add(device, credential, deed=self._deed(by, Action.DEVICE_ADD, device, detail))
            except ExternalIdTaken:
                self._keyring.drop(device.id)
                with suppress(StoreUnavailable, StoreFull):
                    await self.show(device.external_id)
                raise
            except BaseException:
                self._keyring.drop(device.id)
                raise
            # It has never spoken, so there is nothing yet that a command could reach: the three minutes' grace of
            # docs/protocols.md §1 is for devices that spoke before a restart.
            self._registry.add(device, seen=self._clock.monotonic()).gone = True
            self._strangers.forget_no(device.external_id)
            self._bus.publish([DeviceAdded(device=device, timestamp=at)])
        return device, token

    async def update(
        self,
        device_id: str,
        *,
        name: str | Unchanged = UNCHANGED,
        zone_id: str | Unchanged | None = UNCHANGED,
        editions: Container[str] | None = None,
        by: Actor = SYSTEM,
    ) -> Device:
        """
        Rename a device, move it to another zone; raise `DeviceUnknown`, `Malformed` or `NotFound` for the zone.

        With *editions*, raise `Stale` when the device is in none of them: somebody else has changed it meanwhile.
        """
        checked = name if isinstance(name, Unchanged) else checked_name(name)
        async with self._registry.turn():
            before = self._registry.known(device_id).device
            if editions is not None and before.edition not in editions:
                raise Stale
            new_name = before.name if isinstance(checked, Unchanged) else checked
            new_zone = before.zone_id if isinstance(zone_id, Unchanged) else zone_id
            at = self._clock.now()
            detail = {"name": new_name, "zoneId": new_zone}
            deed = self._deed(by, Action.DEVICE_UPDATE, before, detail)
            await self._store.rename(before.renamed(new_name, new_zone, at=at), deed=deed)
            cell = self._registry.known(device_id)
            # What it reported in the meantime stays.
            cell.device = cell.device.renamed(new_name, new_zone, at=at)
            self._bus.publish([DeviceUpdated(device=cell.told, timestamp=at)])  # what it reported is told in its turn
            return cell.device

    async def remove(self, device_id: str, *, by: Actor = SYSTEM) -> None:
        """Forget a device, shut the broker's door to it, and have nothing of it retained; raise `DeviceUnknown`."""
        async with self._registry.turn():
            device = self._registry.known(device_id).device
            at = self._clock.now()
            detail = {"externalId": device.external_id, "type": device.type}
            deed = self._deed(by, Action.DEVICE_REMOVE, device, detail)
            with suppress(DeviceUnknown):  # a commit whose answer was lost has removed it before
                await self._store.remove(device_id, at=at, deed=deed)
            await self.forget(device, at=at)

    async def forget(self, device: Device, *, at: datetime) -> None:
        """What follows on a removal that the store has kept; for who is `changing` the registry."""
        self._registry.drop(device.id)
        self._keyring.drop(device.id)
        self._bus.publish([DeviceDeleted(device_id=device.id, device_name=device.name, timestamp=at)])
        await self._shut_out(device)

    async def take_back(self, device_id: str, external_id: str | None) -> None:
        """Remove a device, also one that was just added and nobody heard that it was; none is no error."""
        async with self._registry.turn():
            if external_id is not None and not self._registry.holds(external_id):
                await self.show(external_id)
        with suppress(DeviceUnknown):
            await self.remove(device_id)

    async def revoke(self, device_id: str, *, by: Actor = SYSTEM) -> None:
        """
        A device's token opens nothing from now on, and its connection to the own broker is cut; the device stays.

        What the broker retains of it is cleared. It's offline until it speaks again, as it may by a broker that keeps
        its own list. Raise `DeviceUnknown`. One that has no token is left so.
        """
        async with self._registry.turn():
            device = self._registry.known(device_id).device
            deed = self._deed(by, Action.CREDENTIALS_REVOKE, device)
            await self._store.set_credential(device_id, None, deed=deed)
            await self.lock_out(device)

    async def lock_out(self, device: Device) -> None:
        """What follows on a revocation that the store has kept; for who is `changing` the registry."""
        self._keyring.drop(device.id)
        try:
            await self._shut_out(device)
        finally:
            # Its will doesn't come: the broker no longer takes one from it.
            self._devices.lose(self._registry.known(device.id))

    async def renew(self, device_id: str, *, by: Actor = SYSTEM) -> str:
        """
        A token for a device that has none any more, shown this once; the broker's door knows it then.

        Raise `DeviceUnknown`, `Conflict` for one that has, which is provisioned again instead, or `BrokerUnavailable`
        when the door can't be told.
        """
        async with self._registry.turn():
            device = self._registry.known(device_id).device
            if self._keyring.holds(device_id):
                raise Conflict("The device has credentials: provision it again, or revoke them first.")
            token, credential = self._keyring.issue(device.id, device.external_id)
            self._keyring.put(credential)
            try:
                await self._keyring.open_door()
                deed = self._deed(by, Action.CREDENTIALS_RENEW, device)
                await self._store.set_credential(device_id, credential, deed=deed)
            except BaseException:
                self._keyring.drop(device_id)
                # The door may know the new one by now, which nobody was shown.
                await self._keyring.tell_door(device_id)
                raise
        return token

    async def show(self, external_id: str) -> None:
        """
        Have the device that the store alone knows seen by people too: who sees it can remove it.

        For who is `changing` the registry. Raise `StoreUnavailable` or `StoreFull`.
        """
        if (cell := await self._strangers.adopt(external_id)) is not None:
            cell.gone = True  # as one that was just added
            await self._keyring.tell_door(cell.device.id)  # it may have been told of the one that isn't added

    def _deed(self, by: Actor, action: Action, device: Device, detail: Mapping[str, Value] = NOTHING) -> Deed:
        return Deed(actor=by, action=action, subject=device.subject, at=self._clock.now(), detail=detail)

    async def _shut_out(self, device: Device) -> None:
        """Close the door behind a device, and have nothing of what it said come back."""
        await self._keyring.tell_door(device.id)
        for station_id in {self._station_id, device.station_id or self._station_id}:
            try:
                await self._link.clear(station_id, device.external_id)
            except BrokerUnavailable:
                log.warning("the broker may still retain what a device said", extra={"device_id": device.id})


def checked_name(name: str) -> str:
    """A device's name without surrounding space, 1 to 100 characters, or raise `Malformed`."""
    text_weight(name)
    stripped = name.strip()
    if not 0 < len(stripped) <= NAME_BOUND:
        raise Malformed(f"A name has 1 to {NAME_BOUND} characters.")
    return stripped
