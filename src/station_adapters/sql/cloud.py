from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from station_adapters.sql import members
from station_adapters.sql.audit import recorded
from station_adapters.sql.content import check_texts
from station_adapters.sql.outbox import SqlOutbox
from station_adapters.sql.tables import cloud_config, station_settings
from station_core.cloud.model import CloudConfig, Standing
from station_core.errors import Stale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Update

    from station_adapters.sql.engine import Database
    from station_adapters.sql.provisioning import Sealer
    from station_core.audit.model import Deed

log = logging.getLogger("station.store")

CLAIM_SECRET: Final = "claim_secret"  # noqa: S105  # a key of `station_settings`, and what it's sealed about
STATION_TOKEN: Final = "station_token"  # noqa: S105  # what it's sealed about
UNRESET: Final = "station_reset"


class SqlCloudStore:
    """A `CloudStore` in PostgreSQL or SQLite; the *outbox* of the same database goes with the claim."""

    def __init__(self, database: Database, sealer: Sealer, outbox: SqlOutbox | None = None) -> None:
        self._database = database
        self._outbox = SqlOutbox(database) if outbox is None else outbox
        self._sealer = sealer

    async def load(self, *, fresh_secret: str) -> Standing:
        """See `CloudStore`."""
        try:
            return await self._database.run(lambda connection: self._load(connection, fresh_secret))
        except _Overtaken:  # somebody else was the first, a moment ago: now there's a row
            return await self._database.run(lambda connection: self._load(connection, fresh_secret))

    async def claim(self, config: CloudConfig, *, claim_secret: str, deed: Deed | None = None) -> None:
        """See `CloudStore`."""
        check_texts([config.station_token])
        sealed = self._sealer.seal(config.station_token.encode(), STATION_TOKEN)

        def claim(connection: Connection) -> None:
            if self._unsealed(_lock(connection)) != claim_secret:
                raise Stale("The station has another claim secret by now.")
            connection.execute(delete(cloud_config))
            connection.execute(insert(cloud_config).values(id=1, station_token=sealed, claimed_at=config.claimed_at))

        work = recorded(claim, deed)
        await self._outbox.claimed(work, lambda connection: members.ask_again(connection, at=config.claimed_at))

    async def forget(self, *, deed: Deed | None = None) -> None:
        """See `CloudStore`."""
        await self._outbox.let_go(recorded(_wipe, deed))

    async def unclaim(self, *, fresh_secret: str, deed: Deed | None = None) -> None:
        """See `CloudStore`."""
        sealed = self._sealer.seal(fresh_secret.encode(), CLAIM_SECRET)

        def unclaim(connection: Connection) -> None:
            _wipe(connection)
            connection.execute(_with_secret(sealed))

        await self._outbox.let_go(recorded(unclaim, deed))

    async def begin_reset(self, devices: Sequence[str], *, deed: Deed | None = None) -> None:
        """See `CloudStore`."""

        def begin(connection: Connection) -> None:
            _wipe(connection)
            left = json.dumps(list(dict.fromkeys([*_unreset(connection), *devices])))
            connection.execute(delete(station_settings).where(station_settings.c.key == UNRESET))
            connection.execute(insert(station_settings).values(key=UNRESET, value=left))

        await self._outbox.let_go(recorded(begin, deed))

    async def end_reset(self) -> None:
        """See `CloudStore`."""

        def end(connection: Connection) -> None:
            connection.execute(delete(station_settings).where(station_settings.c.key == UNRESET))

        await self._database.run(end)

    def _load(self, connection: Connection, fresh_secret: str) -> Standing:
        kept = _lock(connection)
        secret = self._unsealed(kept)
        config, sealed = self._config(connection)
        if kept is not None and secret is None and sealed is not None:
            # A wrong key is soon put right; a claim that was overwritten meanwhile would be lost.
            log.error("the claim can't be unsealed: the data folder has another key; it's left as it is")
            return Standing(claim_secret="", sealed=sealed, unreset=tuple(_unreset(connection)))
        if sealed is not None:
            log.warning("the station's token can't be unsealed: it has to be claimed again")
        if secret is None:
            self._make_secret(connection, fresh_secret, anew=kept is not None)
        return Standing(claim_secret=secret or fresh_secret, config=config, unreset=tuple(_unreset(connection)))

    def _make_secret(self, connection: Connection, fresh_secret: str, *, anew: bool) -> None:
        sealed = self._sealer.seal(fresh_secret.encode(), CLAIM_SECRET)
        if anew:
            log.warning("the claim secret can't be unsealed: there's a new one")
            connection.execute(_with_secret(sealed))
            return
        try:
            connection.execute(insert(station_settings).values(key=CLAIM_SECRET, value=sealed))
        except IntegrityError as error:
            raise _Overtaken from error

    def _unsealed(self, sealed: str | None) -> str | None:
        clear = None if sealed is None else self._sealer.unseal(sealed, CLAIM_SECRET)
        return None if clear is None else clear.decode()

    def _config(self, connection: Connection) -> tuple[CloudConfig | None, datetime | None]:
        """Who has claimed it, or since when that can't be read."""
        row = connection.execute(select(cloud_config)).mappings().one_or_none()
        if row is None:
            return None, None
        token = self._sealer.unseal(row["station_token"], STATION_TOKEN)
        if token is None:
            return None, row["claimed_at"]
        return CloudConfig(station_token=token.decode(), claimed_at=row["claimed_at"]), None


def _lock(connection: Connection) -> str | None:
    """The sealed claim secret; its row is the gate through which all go who change how the station stands."""
    wanted = select(station_settings.c.value).where(station_settings.c.key == CLAIM_SECRET).with_for_update()
    return connection.scalar(wanted)


def _with_secret(sealed: str) -> Update:
    return update(station_settings).where(station_settings.c.key == CLAIM_SECRET).values(value=sealed)


def _wipe(connection: Connection) -> None:
    _lock(connection)
    connection.execute(delete(cloud_config))


def _unreset(connection: Connection) -> list[str]:
    kept = connection.scalar(select(station_settings.c.value).where(station_settings.c.key == UNRESET))
    return [] if kept is None else json.loads(kept)


class _Overtaken(Exception):  # a fact, not an error of anybody's
    """Another transaction has made the row."""
