"""Devices, what they report, and the batches that this comes to the store in."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from station_core.devices.credentials import Credential
from station_core.devices.model import Device, Status
from station_core.devices.ports import DeviceChange
from station_core.devices.types import TYPES
from station_core.journal import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.devices.ports import DeviceStore
    from station_core.journal import Delivery
    from station_core.values import Value

NOON = datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)
LIGHT = next(kind for kind in TYPES if kind.id == "light")


def device(external_id: str = "lamp", **more: object) -> Device:
    fields: dict[str, object] = {
        "id": str(uuid.uuid4()),
        "external_id": external_id,
        "name": external_id.title(),
        "type": "light",
        "created_at": NOON,
        "updated_at": NOON,
        **more,
    }
    return Device(**fields)  # type: ignore[arg-type]  # as the tests name them


def credential(of: Device, digest: str | None = None) -> Credential:
    return Credential(
        device_id=of.id, external_id=of.external_id, digest=digest or f"digest of {of.id}", broker_digest="broker"
    )


async def added(store: DeviceStore, external_id: str = "lamp", **more: object) -> Device:
    new = device(external_id, **more)
    await store.add(new, credential(new))
    return new


def reports(before: Device, report: Mapping[str, Value], after: float = 1.0) -> DeviceChange:
    return DeviceChange(*before.reported(report, LIGHT, at=NOON + timedelta(seconds=after)))


def goes(before: Device, status: Status = Status.ONLINE) -> DeviceChange:
    return DeviceChange(*before.turned(status, at=NOON))


def tells(by: Device, data: Mapping[str, Value]) -> DeviceChange:
    return DeviceChange(by, [by.told("user_event", {"action": "press", **data}, at=NOON)])


def batch(
    number: int, *changes: DeviceChange, deliveries: Sequence[Delivery] = (), oldest: int = 0
) -> Batch[DeviceChange]:
    made: Batch[DeviceChange] = Batch()
    made.number, made.oldest = number, oldest
    made.changes, made.deliveries = list(changes), list(deliveries)
    return made


async def kept(store: DeviceStore, external_id: str = "lamp") -> Device:
    found = await store.find(external_id)
    assert found is not None
    return found[0]
