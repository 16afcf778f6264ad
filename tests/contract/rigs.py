"""Every `DeviceStore` and `IdentityStore`, with the far end in reach: what befalls a database, and a look into it."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import asyncpg
from sqlalchemy import select

from station_adapters.credentials.sealing import AesGcmSealer
from station_adapters.memory.agent import MemoryAgentStore
from station_adapters.memory.audit import Ledger, MemoryAuditStore
from station_adapters.memory.clock import MemoryRandomness
from station_adapters.memory.cloud import MemoryCloudStore
from station_adapters.memory.devices import MemoryDeviceStore
from station_adapters.memory.identity import MemoryIdentityStore
from station_adapters.memory.outbox import MemoryOutbox
from station_adapters.memory.provisioning import MemoryProvisioningStore
from station_adapters.sql.agent import SqlAgentStore
from station_adapters.sql.audit import SqlAuditStore
from station_adapters.sql.cloud import SqlCloudStore
from station_adapters.sql.devices import SqlDeviceStore
from station_adapters.sql.engine import Database, open_database
from station_adapters.sql.identity import SqlIdentityStore
from station_adapters.sql.migrations import upgrade
from station_adapters.sql.outbox import SqlOutbox
from station_adapters.sql.provisioning import SqlProvisioningStore
from station_adapters.sql.tables import cloud_config, device_types, station, station_settings
from station_core.devices.zones import Zone
from station_core.errors import StoreFull, StoreUnavailable
from tests.servers.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from station_core.agent.ports import AgentStore
    from station_core.audit.ports import AuditStore
    from station_core.cloud.ports import CloudStore, Outbox
    from station_core.devices.ports import DeviceStore
    from station_core.errors import StationError
    from station_core.identity.ports import IdentityStore
    from station_core.provisioning.ports import ProvisioningStore
    from tests.contract.databases import PostgresDatabases
    from tests.servers.postgres import Postgres

KEY = "the first key of the data folder"
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON devices EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON users EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON cloud_config EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON station_settings EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT ON audit EXECUTE FUNCTION full_disk();
"""


class StoreRig(Protocol):
    """The stores over one database, and what can befall it."""

    @property
    def devices(self) -> DeviceStore: ...

    @property
    def identities(self) -> IdentityStore: ...

    @property
    def provisioning(self) -> ProvisioningStore: ...

    @property
    def cloud(self) -> CloudStore: ...

    @property
    def audit(self) -> AuditStore: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def agent(self) -> AgentStore: ...

    async def cut(self) -> None:
        """Make the database unable to keep anything; what is under way fails too."""
        ...

    async def mend(self) -> None:
        """Make it able again."""
        ...

    async def fill(self) -> None:
        """Leave no room for more than there is."""
        ...

    async def make_room(self) -> None: ...

    async def reopen(self) -> None:
        """The stores as after a restart of the station."""
        ...

    async def add_zone(self) -> str:
        """A new zone's id."""
        ...

    async def type_ids(self) -> list[str]:
        """The device types that are kept."""
        ...

    async def owner_id(self) -> str | None:
        """Who is the station's owner."""
        ...


class MemoryStores:
    def __init__(self) -> None:
        ledger = Ledger()
        self.outbox = MemoryOutbox()
        self.devices = MemoryDeviceStore(MemoryRandomness(), ledger, self.outbox)
        self.identities = MemoryIdentityStore(ledger, self.outbox)
        self.provisioning = MemoryProvisioningStore(ledger)
        self.cloud = MemoryCloudStore(self.outbox, ledger)
        self.audit = MemoryAuditStore(ledger)
        self.agent = MemoryAgentStore(ledger)

    async def cut(self) -> None:
        self._trouble(StoreUnavailable())

    async def mend(self) -> None:
        self._trouble(None)

    async def fill(self) -> None:
        self._trouble(StoreFull())

    def _trouble(self, trouble: StationError | None) -> None:
        for store in (
            self.devices,
            self.identities,
            self.provisioning,
            self.cloud,
            self.audit,
            self.outbox,
            self.agent,
        ):
            store.trouble = trouble

    async def make_room(self) -> None:
        await self.mend()

    async def reopen(self) -> None:
        pass  # what they hold outlives the station

    async def add_zone(self) -> str:
        zone = str(uuid.uuid4())
        await self.devices.add_zone(Zone(id=zone, name=f"Zone {zone}"))
        return zone

    async def type_ids(self) -> list[str]:
        return sorted(kind.id for kind in self.devices.types)

    async def owner_id(self) -> str | None:
        return self.identities.owner_id


class SqlStores:
    def __init__(self, url: str) -> None:
        self.url = url
        self._randomness = MemoryRandomness()
        self._secret = KEY
        self._open()

    def _open(self) -> None:
        self.database: Database = open_database(self.url)
        self.outbox = SqlOutbox(self.database)
        self.devices = SqlDeviceStore(self.database, self._randomness, self.outbox)
        self.identities = SqlIdentityStore(self.database, self.outbox)
        sealer = AesGcmSealer(self._secret)
        self.provisioning = SqlProvisioningStore(self.database, sealer)
        self.cloud = SqlCloudStore(self.database, sealer, self.outbox)
        self.audit = SqlAuditStore(self.database)
        self.agent = SqlAgentStore(self.database)

    async def reopen(self) -> None:
        await self.database.close()
        self._open()

    async def lose_key(self, instead: str = "the second key of the data folder") -> None:
        """The data folder's secrets are others."""
        self._secret = instead
        await self.reopen()

    async def settings(self) -> str:
        """All that the settings' table holds, as one text."""
        wanted = select(station_settings)
        return await self.database.read(lambda connection: str(connection.execute(wanted).all()))

    async def cloud_rows(self) -> str:
        """All that the cloud's table holds, as one text."""
        return await self.database.read(lambda connection: str(connection.execute(select(cloud_config)).all()))

    async def add_zone(self) -> str:
        zone = str(uuid.uuid4())
        await self.devices.add_zone(Zone(id=zone, name=f"Zone {zone}"))
        return zone

    async def type_ids(self) -> list[str]:
        wanted = select(device_types.c.id).order_by(device_types.c.id)
        return list(await self.database.read(lambda connection: connection.scalars(wanted).all()))

    async def owner_id(self) -> str | None:
        return await self.database.read(lambda connection: connection.scalar(select(station.c.owner_id)))


class SqliteStores(SqlStores):
    """Cut off by another process that holds the file for writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"sqlite:///{path}?timeout=0.2")
        self._other = sqlite3.connect(path, isolation_level=None)

    async def cut(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    async def mend(self) -> None:
        self._other.execute("ROLLBACK")

    async def fill(self) -> None:
        await self._pragma("max_page_count=1")  # SQLite makes it as many as there are

    async def make_room(self) -> None:
        await self._pragma("max_page_count=1000000")

    async def _pragma(self, pragma: str) -> None:
        await self.database.run(lambda connection: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar())

    def end(self) -> None:
        self._other.close()


class PostgresStores(SqlStores):
    """Reaches its server through a fault proxy."""

    def __init__(self, url: str, proxy: FaultProxy, server: Postgres) -> None:
        self.direct = url.replace("+asyncpg", "")
        self.proxy = proxy
        super().__init__(url.replace(f":{server.port}/", f":{proxy.port}/"))

    async def cut(self) -> None:
        await self.proxy.refuse()
        await self.proxy.reset()

    async def mend(self) -> None:
        self.proxy.accept()

    async def fill(self) -> None:
        await self._execute(FULL)

    async def make_room(self) -> None:
        await self._execute("DROP FUNCTION full_disk() CASCADE")

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.direct)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def memory(_folder: Path, _databases: PostgresDatabases) -> AsyncIterator[StoreRig]:
    yield MemoryStores()


@asynccontextmanager
async def sqlite(folder: Path, _databases: PostgresDatabases) -> AsyncIterator[SqliteStores]:
    stores = SqliteStores(folder / "station.db")
    try:
        await upgrade(stores.database)
        yield stores
    finally:
        await stores.database.close()
        stores.end()


@asynccontextmanager
async def postgres(_folder: Path, databases: PostgresDatabases) -> AsyncIterator[PostgresStores]:
    server = databases.server
    async with databases.as_new() as url, FaultProxy(server.host, server.port) as proxy:
        stores = PostgresStores(url, proxy, server)
        try:
            yield stores
        finally:
            await stores.database.close()
