from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from station_adapters.memory.clock import NEW_YEAR
from station_adapters.memory.home import MemoryPorts
from station_adapters.memory.identity import MemoryIdentityStore, MemoryTokens
from station_core.errors import BrokerUnavailable, DeviceUnknown, NotFound, Unauthenticated
from station_core.identity.model import Claims, Role, Session, User
from station_core.identity.refreshing import Digests, Opening

ANNA = User(id="1", email="a@b", name="Anna", role=Role.OWNER, created_at=NEW_YEAR)


def opening(name: str, *, day: int) -> Opening:
    begun = NEW_YEAR + timedelta(days=day)
    session = Session(id=name, user_id="1", created_at=begun, used_at=begun, expires_at=begun + timedelta(days=30))
    return Opening(session=session, refresh=Digests(family=name, secret="s"))


def claims(name: str, *, minute: int) -> Claims:
    at = NEW_YEAR + timedelta(minutes=minute)
    return Claims(
        user_id="1", role=Role.OWNER, session_id="s", token_id=name, issued_at=at, expires_at=at + timedelta(minutes=15)
    )


async def test_an_error_inside_a_running_home_comes_out_as_it_is() -> None:
    with pytest.raises(DeviceUnknown):
        async with MemoryPorts().running() as home:
            home.household.device("nobody")


async def test_a_running_home_can_be_left_by_cancellation() -> None:
    inside = asyncio.Event()

    async def live() -> None:
        async with MemoryPorts().running():
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        living = group.create_task(live())
        await inside.wait()
        living.cancel()

    assert living.cancelled()


async def test_a_home_that_breaks_down_is_not_passed_over() -> None:
    ports = MemoryPorts()
    with pytest.RaisesGroup(pytest.RaisesGroup(NotFound)):
        async with asyncio.timeout(5), ports.running() as home:
            ports.store.trouble = NotFound("a bug")
            home.strangers.ask("station", "lamp")
            await asyncio.Event().wait()


async def test_sessions_that_are_over_are_forgotten_when_the_next_begins() -> None:
    store = MemoryIdentityStore()
    await store.found(ANNA, opening("first", day=0))

    await store.open_session(opening("second", day=29))
    await store.open_session(opening("third", day=30))

    assert {s.id for s in (await store.load()).sessions} == {"second", "third"}
    assert set(store._refreshes) == {"second", "third"}


async def test_nobody_begins_a_session_for_a_user_who_is_not_there() -> None:
    store = MemoryIdentityStore()

    with pytest.raises(NotFound):
        await store.open_session(opening("first", day=0))
    with pytest.raises(NotFound):
        await store.set_password("1", "hash")


def test_tokens_that_hold_no_more_are_forgotten_when_the_next_is_issued() -> None:
    tokens = MemoryTokens()
    first = tokens.issue(claims("a", minute=0))

    second = tokens.issue(claims("b", minute=15))

    assert len(tokens._issued) == 1
    assert tokens.verify(second, at=NEW_YEAR + timedelta(minutes=29)).token_id == "b"
    for token, minute in [(first, 1), (second, 30), ("none", 1)]:
        with pytest.raises(Unauthenticated):
            tokens.verify(token, at=NEW_YEAR + timedelta(minutes=minute))


async def test_a_link_with_trouble_loses_answers_and_refuses_commands() -> None:
    ports = MemoryPorts()
    ports.link.trouble = BrokerUnavailable()

    ports.link.answer_handshake("station", "lamp", known=True)
    with pytest.raises(BrokerUnavailable):
        await ports.link.send("station", "lamp", {"action": "toggle"})

    assert (ports.link.answers, ports.link.commands) == ([], [])
