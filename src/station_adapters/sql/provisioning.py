from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from station_adapters.sql.audit import recorded
from station_adapters.sql.batch import is_id
from station_adapters.sql.tables import provisioning_reservations as reservations
from station_adapters.sql.tables import station_settings
from station_core.provisioning.model import Handover, Wifi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database
    from station_core.audit.model import Deed

log = logging.getLogger("station.store")

WIFI: Final = "wifi"


class Sealer(Protocol):
    """Who makes secrets unreadable for those who only have the database."""

    def seal(self, clear: bytes, about: str) -> str:
        """The sealed form; only for the same *about* it opens again."""
        ...

    def unseal(self, sealed: str, about: str) -> bytes | None:
        """What was sealed; None for what this station didn't seal so, or that was changed."""
        ...


class SqlProvisioningStore:
    """A `ProvisioningStore` in PostgreSQL or SQLite."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def reserve(self, device_id: str) -> None:
        """See `ProvisioningStore`."""

        def reserve(connection: Connection) -> None:
            connection.execute(delete(reservations).where(reservations.c.device_id == device_id))
            connection.execute(insert(reservations).values(device_id=device_id))

        await self._database.run(reserve)

    async def release(self, device_id: str) -> None:
        """See `ProvisioningStore`."""
        if not is_id(device_id):
            return

        def release(connection: Connection) -> None:
            connection.execute(delete(reservations).where(reservations.c.device_id == device_id))

        await self._database.run(release)

    async def reserved(self) -> Sequence[str]:
        """See `ProvisioningStore`."""
        return await self._database.read(lambda connection: connection.scalars(select(reservations.c.device_id)).all())

    async def wifi(self) -> Wifi | None:
        """See `ProvisioningStore`."""
        sealed = await self._database.read(
            lambda connection: connection.scalar(select(station_settings.c.value).where(station_settings.c.key == WIFI))
        )
        if sealed is None:
            return None
        clear = self._sealer.unseal(sealed, WIFI)
        if clear is None:
            log.warning("the kept Wi-Fi can't be unsealed: the data folder has another key; tell it anew")
            return None
        kept = json.loads(clear)
        handover = Handover(kept.get("handover", Handover.KNOWN))  # older stations knew no orders to the agent
        return Wifi(ssid=kept["ssid"], password=kept["password"], handover=handover)

    async def keep_wifi(self, wifi: Wifi, *, deed: Deed | None = None) -> None:
        """See `ProvisioningStore`."""
        told = {"ssid": wifi.ssid, "password": wifi.password, "handover": wifi.handover.value}
        sealed = self._sealer.seal(json.dumps(told).encode(), WIFI)

        def keep(connection: Connection) -> None:
            change = update(station_settings).where(station_settings.c.key == WIFI).values(value=sealed)
            if not connection.execute(change).rowcount:
                try:
                    connection.execute(insert(station_settings).values(key=WIFI, value=sealed))
                except IntegrityError as error:
                    raise _Overtaken from error

        try:
            await self._database.run(recorded(keep, deed))
        except _Overtaken:  # somebody else was the first to tell it, a moment ago: now there's a row to change
            await self._database.run(recorded(keep, deed))


class _Overtaken(Exception):  # a fact, not an error of anybody's
    """Another transaction has made the row."""
