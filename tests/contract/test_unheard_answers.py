"""A real server keeps a change and the connection breaks before it says so: the next attempt finds what is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from station_adapters.memory.home import MemoryPorts
from station_core.devices.doubts import LOOKED_AGAIN_AFTER
from station_core.errors import Conflict, ExternalIdTaken, RegistrationClosed, StoreUnavailable, ZoneNameTaken
from station_core.identity.model import Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from station_core.home import Home
    from tests.contract.rigs import PostgresStores

EMAIL, PASSWORD = "anna@home.example", "correct horse"
SLOW = """
CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
""" + "".join(
    f"CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION slow_commit();"
    for table in ("devices", "zones", "users")
)
COMMITTING = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND query LIKE 'COMMIT%'"""


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


@pytest.fixture
async def home(postgres_stores: PostgresStores, ports: MemoryPorts) -> AsyncIterator[Home]:
    ports.store = postgres_stores.devices  # type: ignore[assignment]
    ports.identities = postgres_stores.identities  # type: ignore[assignment]
    async with ports.running() as home:
        yield home


async def keep_unheard(stores: PostgresStores, change: Awaitable[Any], *, back: str = "behind the commit") -> None:
    """Have it kept, and the connection break before the server says so; whoever connects again does it then."""
    server = await asyncpg.connect(stores.direct)
    try:
        await server.execute(SLOW)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(_in_vain(change))
            while not await server.fetchval(COMMITTING):  # noqa: ASYNC110  # it happens in the server
                await asyncio.sleep(0.01)
            await stores.cut()
        if back == "at once":
            await stores.mend()
            assert await server.fetchval(COMMITTING)
            return
        await server.execute("DROP FUNCTION slow_commit() CASCADE")  # waits for the commit
        await stores.mend()
    finally:
        await server.close()


async def _in_vain(change: Awaitable[Any]) -> None:
    with pytest.raises(StoreUnavailable):
        await change


async def test_a_device_is_shown_and_can_be_removed(postgres_stores: PostgresStores, home: Home) -> None:
    lamp: Any = {"external_id": "lamp", "name": "Lamp", "type_id": "light"}
    await keep_unheard(postgres_stores, home.household.add(**lamp))
    assert home.household.devices() == []

    with pytest.raises(ExternalIdTaken):
        await home.household.add(**lamp)

    [shown] = home.household.devices()
    await keep_unheard(postgres_stores, home.household.remove(shown.id))
    assert home.household.devices() == [shown]
    await home.household.remove(shown.id)
    assert home.household.devices() == []
    added, _ = await home.household.add(**lamp)
    assert home.household.devices() == [added]


async def test_a_zone_is_shown_and_can_be_removed(postgres_stores: PostgresStores, home: Home) -> None:
    await keep_unheard(postgres_stores, home.zones.add("Attic"))

    with pytest.raises(ZoneNameTaken):
        await home.zones.add("attic")

    [shown] = home.zones.all()
    await keep_unheard(postgres_stores, home.zones.remove(shown.id))
    await home.zones.remove(shown.id)
    assert home.zones.all() == []
    assert (await home.zones.add("Attic")).name == "Attic"


@pytest.mark.parametrize("back", ["at once", "behind the commit"])
async def test_a_new_name_shows_though_nobody_asks_again(
    postgres_stores: PostgresStores, home: Home, ports: MemoryPorts, back: str
) -> None:
    lamp, _ = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    await keep_unheard(postgres_stores, home.household.update(lamp.id, name="Reading lamp"), back=back)
    before = home.household.device(lamp.id).name
    async with asyncio.timeout(10):
        while home.registry.doubted.is_set():  # it looks each second, and not past what is still being committed
            await ports.clock.advance(LOOKED_AGAIN_AFTER)

    assert (before, home.household.device(lamp.id).name) == ("Lamp", "Reading lamp")


async def test_people_are_let_in(postgres_stores: PostgresStores, home: Home) -> None:
    await keep_unheard(postgres_stores, home.access.register(email=EMAIL, password=PASSWORD))

    with pytest.raises(RegistrationClosed):
        await home.access.register(email=EMAIL, password=PASSWORD)

    login = await home.access.login(email=EMAIL, password=PASSWORD)
    assert login.user.role is Role.OWNER
    other: Any = {"email": "b@b", "password": PASSWORD, "role": Role.MEMBER}
    await keep_unheard(postgres_stores, home.accounts.add(**other))
    with pytest.raises(Conflict):
        await home.accounts.add(**other)
    assert [user.email for user in home.accounts.users()] == [EMAIL, "b@b"]


async def test_people_are_looked_at_behind_what_is_still_being_committed(
    postgres_stores: PostgresStores, home: Home
) -> None:
    await keep_unheard(postgres_stores, home.access.register(email=EMAIL, password=PASSWORD), back="at once")

    async with home.residents.one_at_a_time:  # as any change
        assert [user.email for user in home.accounts.users()] == [EMAIL]
