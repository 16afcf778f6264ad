"""What an authenticated cloud says in plain messages, as it came over the wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.cloud.frames import HEARD, Handshake, Order, read
from station_adapters.cloud.obedience import Obedience
from station_adapters.memory.digests import cloud_digest
from station_adapters.memory.home import MemoryPorts
from station_core.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.home import Home

BOB = {
    "cloudUserId": "bob",
    "email": "bob@x.example",
    "name": "Bob",
    "role": "member",
    "stationPasswordHash": cloud_digest("open sesame"),
}


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    async with MemoryPorts().running() as home:
        await home.access.register(email="anna@x.example", password="correct horse", name="Anna")
        yield home


async def say(home: Home, kind: str, **body: Any) -> None:
    order = read(kind, {"type": kind, **body})
    assert order is not None
    assert not isinstance(order, Handshake)
    await Obedience(home).obey(order)


def people(home: Home) -> dict[str, str]:
    return {user.name: user.role.value for user in home.accounts.users()}


async def test_each_message_does_what_it_says(home: Home) -> None:
    kim = {**BOB, "cloudUserId": "kim", "email": "kim@x.example", "name": "Kim"}
    await say(home, "identity_sync", users=[BOB, kim, 7, {}], stationName="Seaside", ownerId="kim")
    synced = people(home)
    await say(home, "station_renamed", name="Mountain")
    await say(home, "member_added", user={**BOB, "cloudUserId": "eve", "email": "eve@x.example", "name": None})
    await say(home, "member_updated", user={"cloudUserId": "bob", "role": "admin"})
    await say(home, "member_removed", cloudUserId="eve")
    await say(home, "station_password_changed", cloudUserId="bob", stationPasswordHash=cloud_digest("another"))
    bob = await home.access.login(email="bob@x.example", password="another")

    assert synced == {"Anna": "admin", "Bob": "member", "Kim": "owner"}
    assert people(home) == {"Anna": "admin", "Bob": "admin", "Kim": "owner"}
    assert bob.user.role == "admin"
    assert home.residents.station_name == "Mountain"
    assert home.identity_sync.refused == {"malformed": 2}


async def test_a_list_of_members_under_its_other_name_and_without_the_rest(home: Home) -> None:
    await say(home, "identity_sync", members=[BOB])
    await say(home, "identity_sync", members=[{"cloudUserId": "bob", "email": 7}], stationName=None, ownerId=None)

    assert people(home) == {"Anna": "owner", "Bob": "member"}


async def test_a_station_password_that_is_null_is_none_any_more(home: Home) -> None:
    await say(home, "member_added", user=BOB)
    await say(home, "member_updated", user={"cloudUserId": "bob", "stationPasswordHash": None})

    with pytest.raises(Unauthenticated):
        await home.access.login(email="bob@x.example", password="open sesame")


async def test_a_reset_begins(home: Home) -> None:
    await say(home, "station_reset")
    await asyncio.wait_for(home.reset.leaving.wait(), 5)

    assert people(home) == {"Anna": "owner"}


def test_all_orders_are_known() -> None:
    assert {kind for kind, struct in HEARD.items() if struct in Order.__args__} == {
        "identity_sync",
        "station_renamed",
        "member_added",
        "member_updated",
        "member_removed",
        "station_password_changed",
        "station_reset",
    }
