"""People that the operator adds, disables and lets in again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.identity import MemoryPasswords
from station_core.errors import Conflict, Malformed, NotFound, StoreUnavailable, Unauthenticated
from station_core.identity.model import Role
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, login, refused

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from station_core.identity.model import Login

BOB = "bob@home.example"


async def test_one_more_logs_in_in_their_role(home: Home, owner: Login) -> None:
    added = await home.accounts.add(email=BOB, password=OTHER, role=Role.ADMIN, name="Bob")
    bob = await home.access.login(email=BOB, password=OTHER)

    assert (added.role, added.name) == (Role.ADMIN, "Bob")
    assert home.access.verify(bob.access_token).user == added
    assert home.accounts.users() == [owner.user, added]


async def test_the_first_has_to_be_an_owner_and_leaves_no_session_behind(ports: MemoryPorts, home: Home) -> None:
    with pytest.raises(Conflict):
        await home.accounts.add(email=EMAIL, password=PASSWORD, role=Role.MEMBER)
    added = await home.accounts.add(email=EMAIL, password=PASSWORD, role=Role.OWNER)

    assert added.role is Role.OWNER
    assert (await ports.identities.load()).sessions == []
    assert (await login(home)).user == added


async def test_an_address_is_given_once_and_passwords_are_proper(home: Home, owner: Login) -> None:
    with pytest.raises(Conflict):
        await home.accounts.add(email=EMAIL.upper(), password=OTHER, role=Role.MEMBER)
    with pytest.raises(Malformed):
        await home.accounts.add(email=BOB, password="short", role=Role.MEMBER)

    assert home.accounts.users() == [owner.user]


async def test_a_disabled_user_is_out_at_once_and_stays_out_over_a_restart(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        await home.access.register(email=EMAIL, password=PASSWORD)
        await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)
        bob = await home.access.login(email=BOB, password=OTHER)
        await home.accounts.disable(BOB.upper())
        assert refused(home, bob.access_token)
    async with ports.running() as home:
        with pytest.raises(Unauthenticated):
            await home.access.login(email=BOB, password=OTHER)
        with pytest.raises(Unauthenticated):
            await home.access.refresh(bob.refresh_token)
        enabled = await home.accounts.enable(BOB)
        again = await home.access.login(email=BOB, password=OTHER)
        owner = await login(home)

        assert not enabled.disabled
        assert again.user == enabled
        assert not refused(home, owner.access_token)


async def test_whoever_is_disabled_while_logging_in_does_not_get_in(ports: MemoryPorts) -> None:
    home = ports.home()

    class Slow(MemoryPasswords):
        async def verify(self, password: str, digest: str | None) -> None:
            await super().verify(password, digest)
            await home.accounts.disable(BOB)

    await home.access.register(email=EMAIL, password=PASSWORD)
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)
    home.access._passwords = Slow()
    with pytest.raises(Unauthenticated):
        await home.access.login(email=BOB, password=OTHER)

    assert len((await ports.identities.load()).sessions) == 1


async def test_the_last_owner_that_gets_in_is_not_disabled(home: Home, owner: Login) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.OWNER)
    await home.accounts.disable(BOB)
    with pytest.raises(Conflict):
        await home.accounts.disable(EMAIL)
    await home.accounts.enable(BOB)
    disabled = await home.accounts.disable(EMAIL)

    assert disabled.disabled
    assert refused(home, owner.access_token)


async def test_what_the_store_did_not_keep_did_not_happen(ports: MemoryPorts, home: Home, owner: Login) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)
    ports.identities.trouble = StoreUnavailable()
    for attempt in (home.accounts.disable(BOB), home.accounts.enable(BOB)):
        with pytest.raises(StoreUnavailable):
            await attempt
    ports.identities.trouble = None

    assert (await home.access.login(email=BOB, password=OTHER)).user.email == BOB


async def test_nobody_is_neither_disabled_nor_enabled(home: Home, owner: Login) -> None:
    for attempt in (home.accounts.disable(BOB), home.accounts.enable(BOB)):
        with pytest.raises(NotFound):
            await attempt
