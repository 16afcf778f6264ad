"""How members of the cloud's household get in on the LAN."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.digests import cloud_digest
from station_core.audit.model import Action
from station_core.errors import Forbidden, Unauthenticated
from station_core.identity.cloud_members import CloudMember
from station_core.identity.errors import SyncOverdue
from station_core.identity.model import Role

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from station_core.identity.model import Login

FORTNIGHT = timedelta(days=14).total_seconds()
BOB = CloudMember(
    cloud_user_id="bob", email="bob@x.example", role="member", station_password_hash=cloud_digest("open sesame")
)


async def login(home: Home, password: str = "open sesame") -> Login:
    return await home.access.login(email="bob@x.example", password=password)


async def test_a_member_gets_in_by_the_station_password(home: Home, owner: Login) -> None:
    await home.identity_sync.add(BOB)

    assert (await login(home)).user.role is Role.MEMBER
    with pytest.raises(Unauthenticated):
        await login(home, "open barley")


async def test_for_fourteen_days_without_the_cloud_and_then_hears_why_not(
    home: Home, ports: MemoryPorts, owner: Login
) -> None:
    await home.identity_sync.add(BOB)
    ports.clock.leap(FORTNIGHT)
    await login(home)
    ports.clock.leap(1)
    with pytest.raises(SyncOverdue):
        await login(home)
    with pytest.raises(Unauthenticated):
        await login(home, "open barley")
    await home.audit.drained()
    results = [deed.result for deed in ports.audit.ledger.records if deed.action is Action.LOGIN]
    await home.identity_sync.sync([BOB])

    assert results[-2:] == ["sync_overdue", "unauthenticated"]
    assert (await login(home)).access_token


async def test_neither_a_clock_that_jumps_nor_a_restart_gives_more_or_less(ports: MemoryPorts, owner: Login) -> None:
    home = ports.home()
    await home.load()
    await home.identity_sync.add(BOB)
    ports.clock.wall += timedelta(days=365)
    await login(home)
    ports.clock.leap(FORTNIGHT + 1)
    ports.clock.wall -= timedelta(days=3650)
    with pytest.raises(SyncOverdue):
        await login(home)


async def test_a_box_whose_clock_is_wrong_after_a_restart_still_lets_them_in(ports: MemoryPorts, owner: Login) -> None:
    home = ports.home()
    await home.load()
    await home.identity_sync.add(BOB)
    ports.clock.wall -= timedelta(days=365)
    again = ports.home()
    await again.load()

    assert (await login(again)).access_token


async def test_who_was_here_before_keeps_the_own_password_without_a_limit(
    home: Home, ports: MemoryPorts, owner: Login
) -> None:
    await home.accounts.add(email="bob@x.example", password="my own one", role=Role.MEMBER)
    await home.identity_sync.add(BOB)
    await login(home)
    ports.clock.leap(FORTNIGHT + 1)

    assert (await login(home, "my own one")).access_token
    with pytest.raises(SyncOverdue):
        await login(home)


async def test_without_a_station_password_nobody_gets_in(home: Home, owner: Login) -> None:
    await home.identity_sync.add(BOB)
    await home.identity_sync.add(CloudMember(cloud_user_id="bob", station_password_hash=None))

    with pytest.raises(Unauthenticated):
        await login(home)


async def test_a_member_who_is_disabled_here_stays_out(home: Home, owner: Login) -> None:
    await home.identity_sync.add(BOB)
    await home.accounts.disable("bob@x.example")
    await home.identity_sync.sync([BOB])

    with pytest.raises(Unauthenticated):
        await login(home)


async def test_the_cloud_s_password_isnt_changed_here(home: Home, owner: Login) -> None:
    await home.identity_sync.add(BOB)
    bob = home.access.verify((await login(home)).access_token)

    with pytest.raises(Forbidden, match="cloud"):
        await home.sessions.change_password(bob, old="open sesame", new="one of my own")
    assert (await login(home)).access_token
