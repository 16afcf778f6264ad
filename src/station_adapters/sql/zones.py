"""The zones' side of `SqlDeviceStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from station_adapters.sql.audit import recorded
from station_adapters.sql.batch import is_id
from station_adapters.sql.content import check_texts
from station_adapters.sql.errors import violated
from station_adapters.sql.tables import devices, zones
from station_core.devices.zones import Zone
from station_core.errors import NotFound, ZoneNameTaken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database
    from station_core.audit.model import Deed


async def all_zones(database: Database) -> Sequence[Zone]:
    """See `DeviceStore.zones`."""
    return await database.read(in_it)


def in_it(connection: Connection) -> Sequence[Zone]:
    """All zones that a transaction sees."""
    return [Zone(id=row.id, name=row.name) for row in connection.execute(select(zones.c.id, zones.c.name))]


async def add_zone(database: Database, zone: Zone, deed: Deed | None) -> None:
    """See `DeviceStore.add_zone`."""
    check_texts([zone.id, zone.name])

    def add(connection: Connection) -> None:
        try:
            connection.execute(insert(zones).values(id=zone.id, name=zone.name, name_folded=zone.folded))
        except IntegrityError as error:
            raise _stood_against(error) from error

    await database.run(recorded(add, deed))


async def rename_zone(database: Database, zone: Zone, deed: Deed | None) -> None:
    """See `DeviceStore.rename_zone`."""
    check_texts([zone.name])
    _check_id(zone.id)
    change = update(zones).where(zones.c.id == zone.id).values(name=zone.name, name_folded=zone.folded)

    def rename(connection: Connection) -> None:
        try:
            changed = connection.execute(change).rowcount
        except IntegrityError as error:
            raise _stood_against(error) from error
        if not changed:
            raise NotFound("There is no such zone.")

    await database.run(recorded(rename, deed))


async def remove_zone(database: Database, zone_id: str, at: datetime, deed: Deed | None) -> None:
    """See `DeviceStore.remove_zone`."""
    _check_id(zone_id)

    def remove(connection: Connection) -> None:
        connection.execute(update(devices).where(devices.c.zone_id == zone_id).values(zone_id=None, updated_at=at))
        if not connection.execute(delete(zones).where(zones.c.id == zone_id)).rowcount:
            raise NotFound("There is no such zone.")

    await database.run(recorded(remove, deed))


def _stood_against(error: IntegrityError) -> Exception:
    return ZoneNameTaken() if violated(error) == "unique" else error


def _check_id(zone_id: str) -> None:
    if not is_id(zone_id):
        raise NotFound("There is no such zone.")
