from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from station_adapters.sql import zones
from station_adapters.sql.audit import recorded
from station_adapters.sql.batch import is_id, rows, unpack
from station_adapters.sql.commit import writer
from station_adapters.sql.content import check_texts
from station_adapters.sql.errors import refusals, violated
from station_adapters.sql.feed import Feed
from station_adapters.sql.outbox import SqlOutbox, post
from station_adapters.sql.records import (
    credential_in,
    credential_row,
    device_in,
    device_row,
    successor_in,
    successor_row,
    type_row,
)
from station_adapters.sql.tables import device_types, devices, journal, journal_deliveries
from station_core.cloud.channels import EventChannel
from station_core.cloud.letters import deletion
from station_core.devices.activity import EVERYTHING
from station_core.devices.ports import Loaded, Standing
from station_core.errors import ChangeRefused, DeviceUnknown, ExternalIdTaken, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database
    from station_core.audit.model import Deed
    from station_core.clock import Randomness
    from station_core.devices.activity import ActivityFilter, ActivityPage
    from station_core.devices.credentials import Credential, Successor
    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceChange
    from station_core.devices.types import DeviceType
    from station_core.devices.zones import Zone
    from station_core.journal import Batch


class SqlDeviceStore:
    """
    A `DeviceStore` in PostgreSQL or SQLite; the *outbox* of the same database is the one that it fills.

    `commit` raises `StoreTaken` once another station has loaded the store after this one: whatever is still on its way
    from a station that was cut off is too late then.
    """

    def __init__(self, database: Database, randomness: Randomness, outbox: SqlOutbox | None = None) -> None:
        self._database = database
        self._outbox = SqlOutbox(database) if outbox is None else outbox
        self._randomness = randomness
        self._writer = writer(database)
        self._feed = Feed(database)
        self._epoch: int | None = None

    async def load(self) -> Loaded:
        """See `DeviceStore`."""
        loaded, self._epoch = await self._database.run(_load)
        return loaded

    async def commit(self, batch: Batch[DeviceChange]) -> None:
        """See `Keeper`."""
        with refusals():
            kept = rows(batch, self._randomness, self._writer.instant, self._outbox.active)
            await self._writer.write(kept, self._epoch)
        if kept.letters:
            self._outbox.grew()

    async def standing(self) -> Standing:
        """See `DeviceStore`."""
        return await self._database.run(_standing)

    async def find(self, external_id: str) -> tuple[Device, Credential | None] | None:
        """See `DeviceStore`."""
        try:
            check_texts([external_id])
        except ChangeRefused:
            return None  # no device was ever kept under it
        row = await self._database.read(
            lambda connection: (
                connection.execute(select(devices).where(devices.c.external_id == external_id)).mappings().one_or_none()
            )
        )
        return None if row is None else (device_in(row), credential_in(row))

    async def add(self, device: Device, credential: Credential, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        row = device_row(device, credential)
        _check_zone_id(device.zone_id)

        def add(connection: Connection) -> None:
            try:
                connection.execute(insert(devices).values(row))
            except IntegrityError as error:
                raise _stood_against(error) from error

        await self._database.run(recorded(add, deed))

    async def rename(self, device: Device, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        check_texts([device.name])
        _check_zone_id(device.zone_id)
        _check_id(device.id)
        change = (
            update(devices)
            .where(devices.c.id == device.id)
            .values(name=device.name, zone_id=device.zone_id, updated_at=device.updated_at)
        )

        def rename(connection: Connection) -> None:
            try:
                changed = connection.execute(change).rowcount
            except IntegrityError as error:
                raise _stood_against(error) from error
            if not changed:
                raise DeviceUnknown

        await self._database.run(recorded(rename, deed))

    async def remove(self, device_id: str, *, at: datetime, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        _check_id(device_id)
        active, event_id = self._outbox.active, self._randomness.uuid()

        def remove(connection: Connection) -> None:
            if EventChannel.LIFECYCLE in active:
                name = connection.scalar(select(devices.c.name).where(devices.c.id == device_id)) or ""
                post(connection, deletion(device_id, name, at), event_id)
            if not connection.execute(delete(devices).where(devices.c.id == device_id)).rowcount:
                raise DeviceUnknown

        await self._database.run(recorded(remove, deed))

    async def set_credential(self, device_id: str, credential: Credential | None, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        await self._set(device_id, credential_row(credential), deed)

    async def set_successor(self, device_id: str, successor: Successor | None, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        await self._set(device_id, successor_row(successor), deed)

    async def replace_types(self, types: Sequence[DeviceType]) -> None:
        """See `DeviceStore`."""
        known = [type_row(kind) for kind in types]

        def replace(connection: Connection) -> None:
            connection.execute(delete(device_types))
            if known:
                connection.execute(insert(device_types), known)

        await self._database.run(replace)

    async def zones(self) -> Sequence[Zone]:
        """See `DeviceStore`."""
        return await zones.all_zones(self._database)

    async def add_zone(self, zone: Zone, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        await zones.add_zone(self._database, zone, deed)

    async def rename_zone(self, zone: Zone, *, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        await zones.rename_zone(self._database, zone, deed)

    async def remove_zone(self, zone_id: str, *, at: datetime, deed: Deed | None = None) -> None:
        """See `DeviceStore`."""
        await zones.remove_zone(self._database, zone_id, at, deed)

    async def activities(
        self, wanted: ActivityFilter = EVERYTHING, *, limit: int = 50, cursor: str | None = None
    ) -> ActivityPage:
        """See `DeviceStore`."""
        return await self._feed.page(wanted, limit=limit, cursor=cursor)

    async def forget_activities(self, *, before: datetime, limit: int) -> int:
        """See `DeviceStore`."""
        return await self._feed.forget(before=before, limit=limit)

    async def _set(self, device_id: str, row: Mapping[str, object], deed: Deed | None) -> None:
        _check_id(device_id)
        change = update(devices).where(devices.c.id == device_id).values(row)

        def keep(connection: Connection) -> None:
            if not connection.execute(change).rowcount:
                raise DeviceUnknown

        await self._database.run(recorded(keep, deed))


def _load(connection: Connection) -> tuple[Loaded, int]:
    # First the epoch: its row's lock lets a commit that is still under way end, and no later one begin.
    last_batch, epoch = connection.execute(
        update(journal).values(epoch=journal.c.epoch + 1).returning(journal.c.last_batch, journal.c.epoch)
    ).one()
    connection.execute(update(devices).where(devices.c.status != "offline").values(status="offline"))
    known = connection.execute(select(devices)).mappings().all()
    on_record = connection.execute(select(journal_deliveries).order_by(journal_deliveries.c.batch)).all()
    credentials = [credential_in(row) for row in known]
    loaded = Loaded(
        devices=[device_in(row) for row in known],
        credentials=[credential for credential in credentials if credential is not None],
        successors=[successor for row in known if (successor := successor_in(row)) is not None],
        last_batch=last_batch,
        deliveries={number: unpack(packed) for number, packed in on_record},
    )
    return loaded, epoch


def _standing(connection: Connection) -> Standing:
    if connection.dialect.name == "postgresql":
        # What a former connection may still be committing is waited for, and seen whole. The journal waits meanwhile.
        # Not for long: what comes behind a lock that waits does so too.
        connection.execute(text("SET LOCAL lock_timeout = '500ms'"))
        connection.execute(text("LOCK TABLE devices, zones IN SHARE MODE"))
    known = connection.execute(select(devices)).mappings().all()
    return Standing(
        devices=[device_in(row) for row in known],
        entitled={row["id"] for row in known if credential_in(row) is not None or successor_in(row) is not None},
        zones=zones.in_it(connection),
    )


def _stood_against(error: IntegrityError) -> Exception:
    match violated(error):
        case "unique":
            return ExternalIdTaken()
        case "foreign key":
            return NotFound("There is no such zone.")
        case "other":
            return error


def _check_id(device_id: str) -> None:
    if not is_id(device_id):
        raise DeviceUnknown


def _check_zone_id(zone_id: str | None) -> None:
    if zone_id is not None and not is_id(zone_id):
        raise NotFound("There is no such zone.")
