from __future__ import annotations

from typing import TYPE_CHECKING, Final

from station_core.devices.events import DeviceUpdated
from station_core.devices.model import Status
from station_core.devices.ports import DeviceChange
from station_core.devices.types import DeviceType, unknown_type
from station_core.drafts import draft_of
from station_core.errors import DeviceUnknown, Malformed
from station_core.values import MAX_KEYS, MAX_MESSAGE, object_size, object_weight, tag, text_weight, value_weight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from station_core.clock import Clock
    from station_core.devices.model import Device, Introduction
    from station_core.devices.ports import DeviceLink
    from station_core.devices.registry import Cell, Registry
    from station_core.devices.strangers import Strangers
    from station_core.events import Event, EventBus
    from station_core.journal import Batch, Delivery, Journal
    from station_core.values import Value

HEARTBEAT_KEPT_EVERY: Final = 60.0  # seconds: the heartbeat time alone is written at most this often (decision 2)
EVENTS: Final = frozenset({"device_event", "user_event"})
_ChangeDraft: Final = draft_of(DeviceChange)
_ONLINE: Final = Status.ONLINE  # Python 3.11 takes long to find an enum's member, and each report asks for it


class DeviceService:
    """
    What devices say: applied to memory at once, journalled, never awaited.

    Each method returns the receipt: a batch whose `done` resolves once the effect is kept; `Journal.kept` waits for it.
    All raise `DeviceUnknown` for an external id that memory doesn't know, `Malformed` for content that no wire accepts,
    and, but for a will, `StoreUnavailable` or `StoreFull` while the journal is full; nothing has changed then.
    *station_id* is the station id under which the device spoke on MQTT, None when it spoke otherwise; *delivery* is
    what identifies a message that may come again.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        journal: Journal[DeviceChange],
        bus: EventBus,
        clock: Clock,
        link: DeviceLink,
        strangers: Strangers,
        types: Sequence[DeviceType],
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._link = link
        self._strangers = strangers
        self._types = {t.id: t for t in types}

    @property
    def types(self) -> Sequence[DeviceType]:
        """The type table."""
        return list(self._types.values())

    def type_of(self, device: Device) -> DeviceType:
        """What the table says of the device's type."""
        return self._types.get(device.type) or unknown_type(device.type)

    def report_state(
        self,
        external_id: str,
        report: Mapping[str, Value],
        *,
        station_id: str | None = None,
        delivery: Delivery | None = None,
    ) -> Batch[DeviceChange]:
        """Merge a report over the device's state."""
        cell = self._registry.named(external_id)
        added = object_weight(report, 2)
        weight = cell.weight + added
        if weight > MAX_MESSAGE or len(cell.device.state) + len(report) > MAX_KEYS:
            weight = _merged_size(cell.device, report)
        at = self._clock.now()
        before, came = self._heard(cell, station_id, at)
        after, events = before.reported(report, self.type_of(before), at=at)
        cell.device = after
        cell.weight = weight
        change = _ChangeDraft()
        change.device = after
        change.events = came + events if came else events
        change.deeds = ()
        change.__class__ = DeviceChange
        return self._journal.append(change, delivery, added)

    def fits(self, external_id: str, report: Mapping[str, Value]) -> bool:
        """Whether the device's state, as it is, surely takes the report in; raise `Malformed` for what none does."""
        weight = object_weight(report, 2)
        try:
            cell = self._registry.named(external_id)
        except DeviceUnknown:
            return True  # it's told so in its turn
        state = cell.device.state
        if cell.weight + weight > MAX_MESSAGE and cell.weighed is not state:
            # Once a state, for in overload this is asked for each message: one that's nearly too large takes long.
            cell.weight, cell.weighed = object_size(state), state
        return cell.weight + weight <= MAX_MESSAGE and len(state.keys() | report.keys()) <= MAX_KEYS

    def receive_event(
        self,
        external_id: str,
        event: str,
        data: Mapping[str, Value],
        *,
        station_id: str | None = None,
        delivery: Delivery | None = None,
    ) -> Batch[DeviceChange]:
        """Keep an event that the device tells: `device_event` or `user_event`, with an `action` in its data."""
        cell = self._registry.named(external_id)
        if event not in EVENTS:
            raise Malformed("An event is device_event or user_event.")
        if not isinstance(data.get("action"), str):
            raise Malformed("An event's data has an action, a string.")
        weight = object_weight(data, 2)
        at = self._clock.now()
        device, came = self._heard(cell, station_id, at)
        cell.device = device
        told = device.told(event, data, at=at)
        return self._journal.append(DeviceChange(device, [*came, told]), delivery, weight)

    def heartbeat(
        self,
        external_id: str,
        *,
        session: int | None = None,
        station_id: str | None = None,
        delivery: Delivery | None = None,
    ) -> Batch[DeviceChange]:
        """The device is there; kept at once when that is news, else at most once a minute, its delivery always."""
        cell = self._registry.named(external_id)
        value_weight(session)
        at = self._clock.now()
        before = cell.device
        device, came = self._heard(cell, station_id, at)
        after = cell.device = device.beat(at=at, session=session)
        now = self._clock.monotonic()
        news = came or after.station_id != before.station_id or after.session != before.session
        if news or now - cell.beat_kept >= HEARTBEAT_KEPT_EVERY:
            cell.beat_kept = now
            return self._journal.append(DeviceChange(after, came), delivery)
        return self._journal.pass_by(delivery)

    def last_will(
        self, external_id: str, *, session: int | None = None, delivery: Delivery | None = None
    ) -> Batch[DeviceChange]:
        """The device is gone; the will of a session before its present one says nothing."""
        cell = self._registry.named(external_id)
        present = cell.device.session
        if session is not None and present is not None and session < present:
            return self._journal.pass_by(delivery)
        return self.lose(cell, delivery) or self._journal.pass_by(delivery)

    def handshake(
        self,
        external_id: str,
        portrait: Introduction,
        *,
        station_id: str | None = None,
        delivery: Delivery | None = None,
    ) -> Batch[DeviceChange]:
        """Take in what the device says of itself and tell it that it's known; that much the store has already."""
        cell = self._registry.named(external_id)
        check_introduction(portrait)
        at = self._clock.now()
        before, came = self._heard(cell, station_id, at)
        cell.device, events = before.introduced(portrait, at=at)
        cell.beat_kept = self._clock.monotonic()
        if station_id is not None:
            self._link.answer_handshake(station_id, external_id, known=True)
        return self._journal.append(DeviceChange(cell.device, came + events), delivery)

    def handshake_of_stranger(self, external_id: str, portrait: Introduction, *, station_id: str) -> None:
        """A device that memory doesn't know introduced itself: ask the store, and answer only on its word."""
        check_introduction(portrait)
        self._strangers.ask(station_id, external_id)

    def lose(self, cell: Cell, delivery: Delivery | None = None) -> Batch[DeviceChange] | None:
        """Call the device offline; None when it was so already."""
        cell.gone = True
        after, events = cell.device.turned(Status.OFFLINE, at=self._clock.now())
        if not events:
            return None
        cell.device = after
        return self._journal.append(DeviceChange(after, events), delivery)

    def _heard(self, cell: Cell, station_id: str | None, at: datetime) -> tuple[Device, list[Event]]:
        """Any valid message shows that the device is there, and under which station id it can be reached."""
        self._journal.check_room()
        cell.seen = self._clock.monotonic()
        cell.gone = False
        device = cell.device
        if station_id is not None and station_id != device.station_id:
            device = device.answering_to(station_id)
        if device.status is _ONLINE:
            return device, []
        return device.turned(_ONLINE, at=at)

    def kept(self, changes: Sequence[DeviceChange]) -> None:
        """The journal kept these: tell what happened, but nothing more of a device that was removed meanwhile."""
        events: list[Event] = []
        for change in changes:
            cell = self._registry.get(change.device.id)
            if cell is None:
                continue
            cell.kept = change.device
            if change.device.name != cell.device.name or change.device.zone_id != cell.device.zone_id:
                events += [_under_its_new_name(event, cell.device) for event in change.events]
            else:
                events += change.events
        self._bus.publish(events)

    def refused(self, change: DeviceChange) -> None:
        """The store can never keep this: back to what it holds of the device; what builds on it falls with it."""
        cell = self._registry.get(change.device.id)
        if cell is not None:
            # Name and zone aren't the journal's.
            cell.device = cell.kept.renamed(cell.device.name, cell.device.zone_id, at=cell.kept.updated_at)
            cell.weight = MAX_MESSAGE
        self._journal.drop(lambda later: later.device.id == change.device.id)


def check_introduction(portrait: Introduction) -> None:
    """Raise `Malformed` for what no handshake may say."""
    tag(portrait.type)
    for text in (portrait.firmware_version, portrait.chip):
        if text is not None:
            text_weight(text)
    if portrait.kit_tag is not None:
        tag(portrait.kit_tag)
    value_weight(portrait.session)


def _under_its_new_name(event: Event, renamed: Device) -> Event:
    """An update that shows the device is as of now: one with the former name would come after the news of the new."""
    if not isinstance(event, DeviceUpdated):
        return event
    device = event.device.renamed(renamed.name, renamed.zone_id, at=event.device.updated_at)
    return DeviceUpdated(device=device, timestamp=event.timestamp)


def _merged_size(device: Device, report: Mapping[str, Value]) -> int:
    merged = {**device.state, **report}
    if len(merged) > MAX_KEYS:
        raise Malformed(f"The merged state would have over {MAX_KEYS} keys.")
    size = object_size(merged)
    if size > MAX_MESSAGE:
        raise Malformed("The merged state would be over 64 KiB.")
    return size
