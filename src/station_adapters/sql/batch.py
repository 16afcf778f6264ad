from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from itertools import chain
from sys import byteorder
from typing import TYPE_CHECKING, Final

from station_adapters.sql.audit import journal_row
from station_adapters.sql.content import check_texts, to_json
from station_adapters.sql.mail import Mail
from station_core.devices.activity import line
from station_core.errors import ChangeRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from station_core.clock import Randomness
    from station_core.cloud.channels import EventChannel
    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceChange
    from station_core.events import Event
    from station_core.journal import Batch, Delivery

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FOUR_BYTES: Final = "I"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """
    A batch as the tables have it; `deliveries` is packed, None when there are none.

    A device: type, status, state, firmware version, chip, kit tag, heartbeat, station id, session, acks, updated, id.
    A line: id, device id, event type, payload, device name, device type, created.
    A deed: as `journal_row` says.
    A letter: the number of its line, from 1 on, then as `letter_row` says. While a cloud wants to hear, a mark goes
    with each device: the time of its newest state and the number of the line before it, None when it told none.
    """

    number: int
    oldest: int
    devices: Sequence[tuple[object, ...]]
    lines: Sequence[tuple[object, ...]]
    deeds: Sequence[tuple[object, ...]]
    deliveries: bytes | None
    letters: Sequence[tuple[object, ...]] = ()
    marks: Sequence[tuple[object, int | None]] = ()


def rows(
    batch: Batch[DeviceChange],
    randomness: Randomness,
    instant: Callable[[datetime], object],
    active: frozenset[EventChannel],
) -> Rows:
    """
    The batch's rows, of each device the last alone; raise `ChangeRefused` for what can never be kept.

    *active* are the channels that the cloud is to hear.
    """
    last = {change.device.id: change.device for change in batch.changes}
    devices = [_device(device, instant) for device in last.values()]
    events = (event for change in batch.changes for event in change.events)
    mail = Mail(active, instant) if active else None
    return Rows(
        number=batch.number,
        oldest=batch.oldest,
        devices=devices,
        lines=_lines(events, randomness, instant, mail),
        deeds=[journal_row(deed, instant) for change in batch.changes for deed in change.deeds],
        deliveries=pack(batch.deliveries) if batch.deliveries else None,
        letters=() if mail is None else mail.letters,
        marks=() if mail is None else mail.marks(last.values()),
    )


def is_id(text: str) -> bool:
    """Whether it's a UUID as the station writes them; nothing else is the id of anything."""
    return _UUID.fullmatch(text) is not None


def pack(deliveries: Iterable[Delivery]) -> bytes:
    """Deliveries as the journal's table has them."""
    numbers = array(_FOUR_BYTES, chain.from_iterable(deliveries))
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack(packed: bytes) -> list[Delivery]:
    """What `pack` was given."""
    numbers = array(_FOUR_BYTES, packed)
    if byteorder == "big":
        numbers.byteswap()
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _device(device: Device, instant: Callable[[datetime], object]) -> tuple[object, ...]:
    if not is_id(device.id):
        raise ChangeRefused("an id that is no UUID")
    heartbeat = device.last_heartbeat_at
    texts = (device.type, device.firmware_version, device.chip, device.kit_tag, device.station_id)
    check_texts(texts)
    return (
        device.type,
        device.status.value,
        to_json(device.state),
        device.firmware_version,
        device.chip,
        device.kit_tag,
        None if heartbeat is None else instant(heartbeat),
        device.station_id,
        device.session,
        device.acks,
        instant(device.updated_at),
        device.id,
    )


def _lines(
    events: Iterable[Event], randomness: Randomness, instant: Callable[[datetime], object], mail: Mail | None
) -> list[tuple[object, ...]]:
    lines: list[tuple[object, ...]] = []
    for event in events:
        told = line(event)
        if told is None:
            if mail is not None:
                mail.take_silent(event, len(lines))
            continue
        if not is_id(told.device_id):
            raise ChangeRefused("an id that is no UUID")
        check_texts((told.device_name, told.device_type))
        activity_id = randomness.uuid()
        lines.append(
            (
                activity_id,
                told.device_id,
                told.event_type,
                to_json(told.payload),
                told.device_name,
                told.device_type,
                instant(told.created_at),
            )
        )
        if mail is not None:
            mail.take(event, activity_id, len(lines))
    return lines
