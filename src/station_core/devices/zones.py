from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from station_core.audit.model import NOTHING, SYSTEM, Action, Deed, Subject, SubjectKind
from station_core.devices.events import DeviceUpdated
from station_core.errors import Malformed, NotFound, StoreFull, StoreUnavailable, ZoneNameTaken
from station_core.values import text_weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from station_core.audit.model import Actor
    from station_core.clock import Clock, Randomness
    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceStore
    from station_core.devices.registry import Registry
    from station_core.events import EventBus
    from station_core.values import Value

ZONE_NAME_BOUND: Final = 64  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of the home that people give a name to: a room, a floor, the garden."""

    id: str
    name: str

    @property
    def folded(self) -> str:
        """The name as names are told apart and sorted: upper and lower case are the same."""
        return self.name.casefold()


class Zones:
    """
    The zones of the home: made, renamed, removed by people.

    Store first, with the deed of who wanted it (*by*), then memory, then the events; raises `StoreUnavailable` or
    `StoreFull` when it can't be kept now.
    """

    def __init__(
        self, *, store: DeviceStore, registry: Registry, bus: EventBus, clock: Clock, randomness: Randomness
    ) -> None:
        self._store = store
        self._registry = registry
        self._bus = bus
        self._clock = clock
        self._randomness = randomness
        self._zones: dict[str, Zone] = {}

    async def load(self) -> None:
        """Take the store's zones into memory."""
        self.hold(await self._store.zones())

    def hold(self, zones: Iterable[Zone]) -> None:
        """Know exactly these."""
        self._zones = {zone.id: zone for zone in zones}

    def all(self) -> Sequence[Zone]:
        """All zones by name."""
        return sorted(self._zones.values(), key=lambda zone: zone.folded)

    def zone(self, zone_id: str) -> Zone:
        """One zone, or raise `NotFound`."""
        try:
            return self._zones[zone_id]
        except KeyError:
            raise NotFound("There is no such zone.") from None

    def devices(self, zone_id: str) -> Sequence[Device]:
        """The devices in a zone by name, or raise `NotFound`."""
        self.zone(zone_id)
        found = (cell.device for cell in self._registry if cell.device.zone_id == zone_id)
        return sorted(found, key=lambda device: (device.name.casefold(), device.id))

    async def add(self, name: str, *, by: Actor = SYSTEM) -> Zone:
        """A new zone; raise `Malformed` for the name, `ZoneNameTaken` when another bears it, in whatever case."""
        zone = Zone(id=self._randomness.uuid(), name=zone_name(name))
        async with self._registry.turn():
            try:
                await self._store.add_zone(zone, deed=self._deed(by, Action.ZONE_ADD, zone))
            except ZoneNameTaken:
                await self._look_again()
                raise
            self._zones[zone.id] = zone
        return zone

    async def named(self, name: str, *, by: Actor = SYSTEM) -> Zone:
        """The zone that bears this name, in whatever case, made when there's none; raise as `add`."""
        wanted = zone_name(name)
        if (known := self._bearing(wanted)) is None:
            try:
                return await self.add(wanted, by=by)
            except ZoneNameTaken:  # meanwhile, or seen only now
                if (known := self._bearing(wanted)) is None:
                    raise
        return known

    async def rename(self, zone_id: str, name: str, *, by: Actor = SYSTEM) -> Zone:
        """The zone under another name; raise `NotFound`, or as `add`."""
        checked = zone_name(name)
        async with self._registry.turn():
            before = self.zone(zone_id)
            zone = Zone(id=before.id, name=checked)
            deed = self._deed(by, Action.ZONE_UPDATE, before, {"name": checked})
            try:
                await self._store.rename_zone(zone, deed=deed)
            except ZoneNameTaken:
                await self._look_again()
                raise
            self._zones[zone.id] = zone
        return zone

    async def remove(self, zone_id: str, *, by: Actor = SYSTEM) -> None:
        """Forget the zone; its devices are in none from then on. Raise `NotFound`."""
        async with self._registry.turn():
            deed = self._deed(by, Action.ZONE_REMOVE, self.zone(zone_id))
            at = self._clock.now()
            with suppress(NotFound):  # a commit whose answer was lost has removed it before
                await self._store.remove_zone(zone_id, at=at, deed=deed)
            del self._zones[zone_id]
            left = [cell for cell in self._registry if cell.device.zone_id == zone_id]
            for cell in left:
                cell.device = cell.device.renamed(cell.device.name, None, at=at)
            self._bus.publish([DeviceUpdated(device=cell.told, timestamp=at) for cell in left])

    def _bearing(self, name: str) -> Zone | None:
        return next((zone for zone in self._zones.values() if zone.folded == name.casefold()), None)

    async def _look_again(self) -> None:
        """Who bears the name may have it by a commit whose answer was lost: then it's shown from now on."""
        with suppress(StoreUnavailable, StoreFull):
            self._zones |= {zone.id: zone for zone in await self._store.zones()}

    def _deed(self, by: Actor, action: Action, zone: Zone, detail: Mapping[str, Value] = NOTHING) -> Deed:
        subject = Subject(kind=SubjectKind.ZONE, id=zone.id, name=zone.name)
        return Deed(actor=by, action=action, subject=subject, at=self._clock.now(), detail=detail)


def zone_name(name: str) -> str:
    """A zone's name without surrounding space, 1 to 64 characters, or raise `Malformed`."""
    text_weight(name)
    stripped = name.strip()
    if not 0 < len(stripped) <= ZONE_NAME_BOUND:
        raise Malformed(f"A zone's name has 1 to {ZONE_NAME_BOUND} characters.")
    return stripped
