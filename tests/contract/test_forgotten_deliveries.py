"""The record of deliveries in PostgreSQL, which removes nothing before it vacuums: what was forgotten costs nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from station_core.errors import StoreUnavailable
from tests.contract.told import batch

if TYPE_CHECKING:
    from tests.contract.rigs import PostgresStores

COMMITS = 200
KEPT = 10  # batches whose deliveries are of use
WITHIN = 20.0  # seconds until the server has counted
READ = """
SELECT coalesce(sum(tables.seq_tup_read + indexes.idx_tup_read), 0), coalesce(sum(tables.n_tup_del), 0)
FROM pg_stat_user_tables AS tables JOIN pg_stat_user_indexes AS indexes USING (relid)
WHERE tables.relname = 'journal_deliveries'
"""


async def test_a_commit_does_not_look_at_what_earlier_ones_forgot(postgres_stores: PostgresStores) -> None:
    read_before, forgotten_before = await looked_at(postgres_stores)
    # A server that has found the table small would read it whole, and what is of use isn't asked about here.
    await scans_whole_tables(postgres_stores, "off")
    await postgres_stores.reopen()
    for number in range(1, COMMITS + 1):
        forgets = max(0, number - KEPT)
        await postgres_stores.devices.commit(batch(number, deliveries=[(number, 7)], oldest=forgets))
    await postgres_stores.reopen()  # whose connection ends tells what it has counted

    read, _ = await looked_at(postgres_stores, at_least=forgotten_before + COMMITS - KEPT - 1)
    assert read - read_before <= 5 * COMMITS  # some for each commit; looking at all of them would be 18,000
    await scans_whole_tables(postgres_stores, "on")


async def test_what_a_commit_forgets_is_gone_whoever_kept_it(postgres_stores: PostgresStores) -> None:
    for number in range(1, 6):
        await postgres_stores.devices.commit(batch(number, deliveries=[(number, 7)], oldest=min(number, 2)))
    await postgres_stores.reopen()
    await postgres_stores.devices.commit(batch(6, deliveries=[(6, 7)], oldest=4))

    assert (await postgres_stores.devices.load()).deliveries == {n: [(n, 7)] for n in (4, 5, 6)}


async def test_behind_a_failure_another_server_may_answer_that_lacks_the_last_commits(
    postgres_stores: PostgresStores,
) -> None:
    store = postgres_stores.devices
    for number in range(1, 6):
        await store.commit(batch(number, deliveries=[(number, 7)]))
    standby = await asyncpg.connect(postgres_stores.direct)
    had = await standby.fetch("SELECT * FROM journal_deliveries")
    await store.commit(batch(6, deliveries=[(6, 7)], oldest=5))
    await standby.execute("TRUNCATE journal_deliveries")
    await standby.executemany("INSERT INTO journal_deliveries VALUES ($1, $2)", [tuple(row) for row in had])
    await standby.execute("UPDATE journal SET last_batch = 5")
    await standby.close()
    await postgres_stores.proxy.reset()
    with pytest.raises(StoreUnavailable):
        await store.commit(batch(7, deliveries=[(7, 7)], oldest=6))
    await store.commit(batch(7, deliveries=[(7, 7)], oldest=6))

    assert (await store.load()).deliveries == {7: [(7, 7)]}


async def looked_at(stores: PostgresStores, at_least: int = 0) -> tuple[int, int]:
    """Rows of the record that were read so far, and those that were removed, once these are so many."""
    connection = await asyncpg.connect(stores.direct)
    try:
        async with asyncio.timeout(WITHIN):
            while (counted := await connection.fetchrow(READ))[1] < at_least:  # noqa: ASYNC110  # the server's matter
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
    return counted[0], counted[1]


async def scans_whole_tables(stores: PostgresStores, willing: str) -> None:
    """Whether the server plans to, for connections from now on to this database."""
    connection = await asyncpg.connect(stores.direct)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f'ALTER DATABASE "{name}" SET enable_seqscan = {willing}')
    await connection.close()
