"""`kill -9` while the cloud's word about the household is being kept: it's kept whole or not at all."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from typing import TYPE_CHECKING, Final

import pytest

from station_adapters.sql.engine import open_database
from station_adapters.sql.identity import SqlIdentityStore
from station_adapters.sql.migrations import upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from station_core.identity.ports import People

pytestmark = pytest.mark.system

ROUNDS: Final = 6
PROGRAM: Final = """
import asyncio, itertools, sys, uuid
from datetime import UTC, datetime
from station_adapters.sql.engine import open_database
from station_adapters.sql.identity import SqlIdentityStore
from station_core.identity.model import Role, User
from station_core.identity.reconciling import Reconciliation

NOON = datetime(2026, 3, 1, tzinfo=UTC)

def house(name):
    ids = [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name} {n}")) for n in range(40)]
    return [User(id=ids[n], email=f"{n}@x.example", name=name, created_at=NOON, cloud_user_id=str(n),
        role=Role.MEMBER if n else Role.OWNER, synced_at=NOON) for n in range(40)]

async def main():
    store = SqlIdentityStore(open_database(sys.argv[1]))
    here = [user.id for user in (await store.load()).users]
    for n in itertools.count():
        users = house(f"house {n % 2}")
        ids = [user.id for user in users]
        gone = [user_id for user_id in here if user_id not in ids]
        await store.reconcile(Reconciliation(put=users, removed=gone, revoked=gone, owner_id=ids[0],
            station_name=users[0].name))
        here = ids
        print(n, flush=True)

asyncio.run(main())
"""


async def looked_at(url: str) -> People:
    database = open_database(url)
    try:
        return await SqlIdentityStore(database).load()
    finally:
        await database.close()


async def test_a_sync_that_is_killed_is_whole_or_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/station.db"
    database = open_database(url)
    await upgrade(database)
    await database.close()
    for seed in range(ROUNDS):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, url, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert child.stdout is not None
        async with asyncio.timeout(60):
            assert await child.stdout.readline()  # it's at it
            await asyncio.sleep(random.Random(seed).random() / 20)  # any moment will do
            child.send_signal(signal.SIGKILL)
            await child.wait()
            while await child.stdout.read(65536):
                pass
        people = await looked_at(url)
        owner = next(user for user in people.users if user.id == people.owner_id)

        assert len(people.users) == 40
        assert {user.name for user in people.users} == {people.station_name}
        assert (owner.role, owner.name) == ("owner", people.station_name)
        assert set(people.members) == {user.id for user in people.users}
