"""What the cloud tells of the household, as it comes about: store, memory, sessions, the record."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.digests import cloud_digest
from station_core.audit.model import Action
from station_core.errors import StoreUnavailable
from station_core.identity.cloud_members import CloudMember
from station_core.identity.events import AccessChanged
from station_core.identity.model import Role
from station_core.identity.sync import MEMBERS, Unreadable
from tests.unit.core.people import refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from station_core.identity.model import Login

STATION_PASSWORD = "open sesame"


def member(name: str, **more: object) -> CloudMember:
    fields = {
        "email": f"{name}@x.example",
        "role": "member",
        "station_password_hash": cloud_digest(STATION_PASSWORD),
        **more,
    }
    return CloudMember(cloud_user_id=name, **fields)  # type: ignore[arg-type]  # as named


def people(home: Home) -> dict[str, str]:
    return {user.email.partition("@")[0]: user.role.value for user in home.accounts.users()}


async def kept(ports: MemoryPorts) -> dict[str, str]:
    """As a restart would see them."""
    again = ports.home()
    await again.load()
    return people(again)


async def login(home: Home, name: str, password: str = STATION_PASSWORD) -> Login:
    return await home.access.login(email=f"{name}@x.example", password=password)


@pytest.fixture
async def bob(home: Home, owner: Login) -> Login:
    """A member by the cloud's word, logged in."""
    await home.identity_sync.sync([member("bob")], station_name="Seaside")
    return await login(home, "bob")


async def test_a_sync_is_kept_with_name_people_and_owner(home: Home, ports: MemoryPorts, owner: Login) -> None:
    await home.identity_sync.sync(
        [member("bob"), member("kim", role="admin")], station_name=" Seaside ", owner_id="kim"
    )

    assert people(home) == {"Anna": "admin", "bob": "member", "kim": "owner"}
    assert await kept(ports) == people(home)
    assert home.residents.station_name == ports.identities.station_name == "Seaside"
    kim = home.residents.known("kim@x.example")
    assert home.residents.owner_id == ports.identities.owner_id == kim.id


async def test_somebody_who_is_removed_is_out_at_once(home: Home, ports: MemoryPorts, bob: Login) -> None:
    with home.bus.subscribe(AccessChanged, bound=8) as changes:
        await home.identity_sync.remove("bob")
        await home.identity_sync.remove("bob")

        assert bob.user.id in {change.user_id for change in changes.take()}
    assert refused(home, bob.access_token)
    assert people(home) == await kept(ports) == {"Anna": "owner"}
    assert home.identity_sync.refused == {}


async def test_another_station_password_ends_all_sessions_and_is_the_one_that_counts(home: Home, bob: Login) -> None:
    digest = cloud_digest("another")
    await home.identity_sync.change_password("bob", digest)
    first = refused(home, bob.access_token)
    second = await login(home, "bob", "another")
    await home.identity_sync.change_password("bob", digest)

    assert first
    assert not refused(home, second.access_token)


async def test_somebody_who_becomes_an_admin_needs_another_token(home: Home, bob: Login) -> None:
    await home.identity_sync.update(CloudMember(cloud_user_id="bob", role="admin"))
    fresh = await home.access.refresh(bob.refresh_token)

    assert refused(home, bob.access_token)
    assert fresh.user.role is Role.ADMIN


async def test_somebody_is_added_and_changed(home: Home, ports: MemoryPorts, owner: Login) -> None:
    await home.identity_sync.add(member("bob"))
    await home.identity_sync.update(member("kim"))
    await home.identity_sync.update(CloudMember(cloud_user_id="bob", name="Robert", email="robert@x.example"))

    assert people(home) == await kept(ports) == {"Anna": "owner", "robert": "member", "kim": "member"}
    assert home.residents.known("robert@x.example").name == "Robert"


async def test_the_owner_is_not_removed(home: Home, owner: Login) -> None:
    await home.identity_sync.sync([member("anna", email="anna@home.example")], owner_id="anna")
    await home.identity_sync.remove("anna")

    assert people(home) == {"anna": "owner"}
    assert home.identity_sync.refused == {"owner": 1}


async def test_who_was_linked_is_a_member_with_their_own_password_again(home: Home, owner: Login) -> None:
    await home.accounts.add(email="gran@x.example", password="her own one", role=Role.ADMIN)
    await home.identity_sync.add(member("gran"))
    linked = [await login(home, "gran"), await login(home, "gran", "her own one")]
    await home.identity_sync.remove("gran")

    assert all(refused(home, session.access_token) for session in linked)
    assert (await login(home, "gran", "her own one")).user.role is Role.MEMBER


async def test_the_station_is_renamed(
    home: Home, ports: MemoryPorts, owner: Login, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await home.identity_sync.rename("Seaside")
    for _ in range(2):
        await home.identity_sync.rename(" Mountain ")
    for bad in ("", " ", "x" * 101, "\0"):
        await home.identity_sync.rename(bad)

    assert home.residents.station_name == ports.identities.station_name == "Mountain"
    assert home.identity_sync.refused == {"malformed": 4}


async def test_what_cant_be_is_left_out_and_counted_and_the_rest_is_so(home: Home, owner: Login) -> None:
    await home.identity_sync.sync([member("eve"), member("bob")])
    await home.identity_sync.sync(
        [
            member("eve", role="king"),
            Unreadable(cloud_user_id="bob"),
            Unreadable(),
            member("kim"),
            member("kim", role="admin"),
            member("max", email="kim@x.example"),
            *(member(f"guest-{n}") for n in range(MEMBERS)),
        ],
        station_name="\0",
    )

    assert {name: role for name, role in people(home).items() if not name.startswith("guest")} == {
        "Anna": "owner",
        "eve": "member",
        "bob": "member",
        "kim": "member",
    }
    assert home.identity_sync.refused == {"malformed": 3 + 6 + 1, "double": 1, "email_taken": 1}
    assert home.residents.station_name == "Station"


async def test_of_somebody_who_isnt_known_nothing_changes(home: Home, owner: Login) -> None:
    await home.identity_sync.change_password("bob", cloud_digest("x"))
    await home.identity_sync.update(CloudMember(cloud_user_id="bob", name="Bob"))
    await home.identity_sync.add(member("bob", role="king"))
    await home.identity_sync.remove("bob")

    assert people(home) == {"Anna": "owner"}
    assert home.identity_sync.refused == {"unknown": 1, "incomplete": 1, "malformed": 1}


async def test_a_bad_digest_changes_nothing(home: Home, bob: Login) -> None:
    await home.identity_sync.change_password("bob", "$2b$31$" + "a" * 53)

    assert not refused(home, bob.access_token)
    assert home.identity_sync.refused == {"malformed": 1}


async def test_without_the_store_nothing_changes(home: Home, ports: MemoryPorts, bob: Login) -> None:
    sync = home.identity_sync
    messages: list[Callable[[], Awaitable[None]]] = [
        lambda: sync.sync([], station_name="Mountain"),
        lambda: sync.rename("Mountain"),
        lambda: sync.add(member("kim")),
        lambda: sync.update(member("bob", role="admin")),
        lambda: sync.remove("bob"),
        lambda: sync.change_password("bob", cloud_digest("another")),
    ]
    before = people(home)
    ports.identities.trouble = StoreUnavailable()
    for message in messages:
        with pytest.raises(StoreUnavailable):
            await message()
    ports.identities.trouble = None

    assert people(home) == await kept(ports) == before
    assert home.residents.station_name == "Seaside"
    assert not refused(home, bob.access_token)


async def test_what_changes_is_recorded_once_and_a_sync_that_changes_nothing_isnt(
    home: Home, ports: MemoryPorts, owner: Login
) -> None:
    before = len(list(ports.audit.ledger.records))
    for _ in range(2):
        await home.identity_sync.sync([member("bob")], station_name="Seaside")
        await home.identity_sync.rename("Mountain")
        await home.identity_sync.rename("Seaside")
        await home.identity_sync.add(member("kim"))
        await home.identity_sync.change_password("kim", cloud_digest("another"))
        await home.identity_sync.update(member("bob", role="admin"))
        await home.identity_sync.update(member("bob", role="member"))
        await home.identity_sync.sync([member("bob")], station_name="Seaside")
    deeds = list(ports.audit.ledger.records)[before:]

    rounds = [
        Action.STATION_RENAME,
        Action.STATION_RENAME,
        Action.USER_ADD,
        Action.PASSWORD_CHANGE,
        Action.USER_UPDATE,
        Action.USER_UPDATE,
        Action.IDENTITY_SYNC,
    ]
    assert [deed.action for deed in deeds] == [Action.IDENTITY_SYNC, *rounds, *rounds]
    assert {str(deed.actor) for deed in deeds} == {"cloud"}
    assert (deeds[3].subject.name, deeds[3].result) == ("kim@x.example", "done")
    assert "$2b$" not in str(deeds)


async def test_a_removal_and_a_link_are_told_apart_in_the_record(home: Home, ports: MemoryPorts, bob: Login) -> None:
    await home.accounts.add(email="gran@x.example", password="her own one", role=Role.ADMIN)
    await home.identity_sync.add(member("gran"))
    await home.identity_sync.remove("gran")
    await home.identity_sync.remove("bob")

    assert [deed.action for deed in ports.audit.ledger.records][-2:] == [
        Action.USER_UPDATE,
        Action.USER_REMOVE,
    ]


async def test_who_registers_while_the_cloud_says_who_owns_the_station_is_its_owner_or_doesnt_get_in(
    home: Home,
) -> None:
    registering, syncing = await asyncio.gather(
        home.access.register(email="anna@x.example", password="correct horse"),
        home.identity_sync.sync([member("kim")], owner_id="kim"),
        return_exceptions=True,
    )

    assert syncing is None
    assert list(people(home).values()).count("owner") == 1
    assert (people(home) == {"kim": "owner"}) is isinstance(registering, Exception)
