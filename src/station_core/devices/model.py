from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from station_core.audit.model import Subject, SubjectKind
from station_core.devices.events import (
    DeviceEventReceived,
    DeviceHandshakeReceived,
    DeviceStateChanged,
    DeviceStateTransition,
    DeviceStatusChanged,
    DeviceUpdated,
)
from station_core.drafts import draft_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from station_core.devices.types import DeviceType
    from station_core.events import Event
    from station_core.values import Value


class Status(StrEnum):
    """Whether a device speaks."""

    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a device says of itself in its handshake."""

    type: str
    firmware_version: str
    chip: str | None = None
    kit_tag: str | None = None
    session: int | None = None
    acks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """
    A device as the station knows it; its transitions return the device after and what happened by it.

    `station_id` is the station id that the device itself uses on MQTT, `session` its boot counter, `acks` whether it
    answers commands: newer firmware tells the last two, else None and False.
    """

    id: str
    external_id: str
    name: str
    type: str
    created_at: datetime
    updated_at: datetime
    status: Status = Status.OFFLINE
    state: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    zone_id: str | None = None
    firmware_version: str | None = None
    chip: str | None = None
    kit_tag: str | None = None
    last_heartbeat_at: datetime | None = None
    station_id: str | None = None
    session: int | None = None
    acks: bool = False

    @property
    def subject(self) -> Subject:
        """As what something is done to."""
        return Subject(kind=SubjectKind.DEVICE, id=self.id, name=self.name)

    @property
    def edition(self) -> str:
        """Stands for what people have set, whatever the device reports: another one when name or zone is another."""
        return sha256("\0".join((self.id, self.name, self.zone_id or "")).encode()).hexdigest()[:16]

    def reported(self, report: Mapping[str, Value], kind: DeviceType, *, at: datetime) -> tuple[Device, list[Event]]:
        """The device after a report was merged over its state, key by key."""
        before = self.state
        state = {**before, **report}
        after = _DeviceDraft()
        after.id = self.id
        after.external_id = self.external_id
        after.name = self.name
        after.type = self.type
        after.created_at = self.created_at
        after.updated_at = at
        after.status = self.status
        after.state = state
        after.zone_id = self.zone_id
        after.firmware_version = self.firmware_version
        after.chip = self.chip
        after.kit_tag = self.kit_tag
        after.last_heartbeat_at = self.last_heartbeat_at
        after.station_id = self.station_id
        after.session = self.session
        after.acks = self.acks
        after.__class__ = Device
        told = _StateChangedDraft()
        told.device_id = self.id
        told.state = state
        told.timestamp = at
        told.__class__ = DeviceStateChanged
        events: list[Event] = [told]
        for key, new in report.items():
            if new is True or new is False:
                old = before.get(key)
                if (old is True or old is False) and old is not new:
                    events += self._flipped(key, kind, old=old, new=new, at=at)
        return after, events

    def turned(self, status: Status, *, at: datetime) -> tuple[Device, list[Event]]:
        """The device after it came or went; the same device and nothing when it was so already."""
        if status is self.status:
            return self, []
        return self._with(status=status, updated_at=at), [
            DeviceStatusChanged(
                device_id=self.id, device_name=self.name, device_type=self.type, status=status, timestamp=at
            )
        ]

    def beat(self, *, at: datetime, session: int | None = None) -> Device:
        """The device after a heartbeat."""
        return self._with(last_heartbeat_at=at, session=self.session if session is None else session)

    def introduced(self, self_portrait: Introduction, *, at: datetime) -> tuple[Device, list[Event]]:
        """The device after its handshake; what it leaves out stays as known, but session and acks are of this boot."""
        after = self._with(
            type=self_portrait.type,
            firmware_version=self_portrait.firmware_version,
            chip=self_portrait.chip or self.chip,
            kit_tag=self_portrait.kit_tag or self.kit_tag,
            session=self_portrait.session,
            acks=self_portrait.acks,
            last_heartbeat_at=at,
            updated_at=at,
        )
        events: list[Event] = [DeviceHandshakeReceived(device_id=self.id, kit_tag=self_portrait.kit_tag, timestamp=at)]
        if (after.type, after.firmware_version, after.chip) != (self.type, self.firmware_version, self.chip):
            events.append(DeviceUpdated(device=after, timestamp=at))
        return after, events

    def told(self, event: str, data: Mapping[str, Value], *, at: datetime) -> DeviceEventReceived:
        """What happened when the device told an event."""
        return DeviceEventReceived(
            device_id=self.id, device_name=self.name, device_type=self.type, event=event, data=data, timestamp=at
        )

    def answering_to(self, station_id: str) -> Device:
        """The device after it used this station id."""
        return self._with(station_id=station_id)

    def renamed(self, name: str, zone_id: str | None, *, at: datetime) -> Device:
        """The device under this name, in this zone."""
        return self._with(name=name, zone_id=zone_id, updated_at=at)

    def _flipped(self, key: str, kind: DeviceType, *, old: bool, new: bool, at: datetime) -> list[Event]:
        known = kind.capability(key)
        if known is not None and known.type != "boolean":
            return []
        events: list[Event] = [
            DeviceStateTransition(
                device_id=self.id,
                device_name=self.name,
                device_type=self.type,
                capability_key=key,
                old_value=old,
                new_value=new,
                timestamp=at,
            )
        ]
        if name := kind.derived.get((key, new)):
            events.append(self.told("device_event", {"action": name}, at=at))
        return events

    def _with(self, **changes: object) -> Device:
        return replace(self, **changes)  # type: ignore[arg-type]  # private: the callers above name fields only


_DeviceDraft: Final = draft_of(Device)
_StateChangedDraft: Final = draft_of(DeviceStateChanged)
