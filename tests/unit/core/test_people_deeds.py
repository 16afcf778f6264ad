"""Who came in, who tried to, and what they did to their own way in: on record, without a secret."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import INSTALLER, STRANGER, Action, Subject, SubjectKind
from station_core.errors import Forbidden, RateLimited, Unauthenticated
from station_core.identity.attempts import OF_AN_ACCOUNT
from station_core.identity.model import Role
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, login

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from station_adapters.memory.home import MemoryPorts
    from station_core.audit.model import Deed
    from station_core.errors import StationError
    from station_core.home import Home
    from station_core.identity.model import Login

BOB = "bob@home.example"


async def deeds(home: Home, ports: MemoryPorts) -> list[Deed]:
    await home.audit.drained()
    return [record.deed for record in reversed((await ports.audit.records(limit=500)).items)]


async def failed(ports: MemoryPorts, trying: Awaitable[Login], error: type[StationError]) -> None:
    """The attempt fails, in its time."""
    attempt = asyncio.ensure_future(trying)
    await ports.clock.advance(1)
    with pytest.raises(error):
        await attempt


async def test_who_comes_in_and_goes_is_recorded(home: Home, ports: MemoryPorts, owner: Login) -> None:
    second = await home.access.login(email=EMAIL, password=PASSWORD, peer="192.0.2.7")
    session = home.access.verify(second.access_token).session_id
    await home.access.log_out(session)
    await home.access.log_out(session)

    anna = owner.user
    done = [(deed.actor, deed.action, deed.subject, dict(deed.detail)) for deed in await deeds(home, ports)]
    assert done == [
        (anna.actor, Action.REGISTER, anna.subject, {}),
        (anna.actor, Action.LOGIN, anna.subject, {"peer": "192.0.2.7"}),
        (anna.actor, Action.LOGOUT, Subject(kind=SubjectKind.SESSION, id=session, name=anna.email), {}),
    ]


async def test_who_fails_to_come_in_is_a_stranger_and_what_they_typed_is_not_kept(
    home: Home, ports: MemoryPorts, owner: Login
) -> None:
    await home.accounts.add(email=BOB, password=OTHER, role=Role.MEMBER)
    await home.accounts.disable(BOB)
    access = home.access
    await failed(ports, access.login(email=EMAIL, password="canary-1", peer="192.0.2.7"), Unauthenticated)
    await failed(ports, access.login(email="canary-2", password="canary-3"), Unauthenticated)
    await failed(ports, access.login(email=BOB, password=OTHER), Unauthenticated)

    tried = [deed for deed in await deeds(home, ports) if deed.actor == STRANGER]
    assert [(deed.action, deed.subject.name, deed.result, dict(deed.detail)) for deed in tried] == [
        (Action.LOGIN, EMAIL, "unauthenticated", {"peer": "192.0.2.7"}),
        (Action.LOGIN, None, "unauthenticated", {}),
        (Action.LOGIN, BOB, "unauthenticated", {}),
    ]
    assert "canary" not in str(tried)


async def test_who_tries_too_often_is_recorded_as_that(home: Home, ports: MemoryPorts, owner: Login) -> None:
    for _ in range(OF_AN_ACCOUNT):
        await failed(ports, login(home, "wrong password"), Unauthenticated)
    await failed(ports, login(home), RateLimited)

    assert (await deeds(home, ports))[-1].result == "rate_limited"


async def test_a_token_that_was_used_before_ends_the_session_on_record(
    home: Home, ports: MemoryPorts, owner: Login
) -> None:
    session = home.access.verify(owner.access_token).session_id
    await home.access.refresh(owner.refresh_token)
    with pytest.raises(Unauthenticated):
        await home.access.refresh(owner.refresh_token)

    last = (await deeds(home, ports))[-1]
    assert (last.actor, last.action, last.subject.id) == (STRANGER, Action.SESSION_END, session)
    assert dict(last.detail) == {"reason": "token_reused"}


async def test_what_people_do_to_their_own_sessions_and_password_is_recorded(
    home: Home, ports: MemoryPorts, owner: Login
) -> None:
    principal = home.access.verify(owner.access_token)
    other = home.access.verify((await login(home)).access_token)
    await home.sessions.end(principal, other.session_id)
    await home.sessions.end_others(principal)
    await failed(ports, home.sessions.change_password(principal, old="wrong one", new=OTHER), Forbidden)
    await home.sessions.change_password(principal, old=PASSWORD, new=OTHER)

    done = [(deed.action, deed.subject.kind, deed.result) for deed in (await deeds(home, ports))[2:]]
    assert sorted(done) == [
        (Action.PASSWORD_CHANGE, SubjectKind.USER, "done"),
        (Action.PASSWORD_CHANGE, SubjectKind.USER, "forbidden"),
        (Action.SESSION_END, SubjectKind.SESSION, "done"),
        (Action.SESSION_END, SubjectKind.USER, "done"),
    ]


async def test_what_is_done_at_the_box_is_the_installers(home: Home, ports: MemoryPorts) -> None:
    await home.accounts.add(email=EMAIL, password=PASSWORD, role=Role.OWNER, by=INSTALLER)
    await home.accounts.add(email=BOB, password=OTHER, role=Role.ADMIN, by=INSTALLER)
    await home.accounts.disable(BOB, by=INSTALLER)
    await home.accounts.enable(BOB, by=INSTALLER)
    await home.accounts.reset_password(email=BOB, password=PASSWORD, by=INSTALLER)

    assert [(deed.actor, deed.action, deed.subject.name) for deed in await deeds(home, ports)] == [
        (INSTALLER, Action.REGISTER, EMAIL),
        (INSTALLER, Action.USER_ADD, BOB),
        (INSTALLER, Action.USER_DISABLE, BOB),
        (INSTALLER, Action.USER_ENABLE, BOB),
        (INSTALLER, Action.PASSWORD_RESET, BOB),
    ]


async def test_who_asks_somebody_to_join_as_more_than_they_may_is_recorded_as_refused(
    home: Home, ports: MemoryPorts, owner: Login
) -> None:
    admin = await home.accounts.add(email=BOB, password=OTHER, role=Role.ADMIN)
    asked = await home.invites.invite(email="eve@example.org", role=Role.ADMIN, by=owner.user.actor)
    with pytest.raises(Forbidden):
        await home.invites.invite(email="dan@example.org", role=Role.ADMIN, by=admin.actor)
    with pytest.raises(Forbidden):
        await home.invites.revoke(asked.id, by=admin.actor)

    refusals = [deed for deed in await deeds(home, ports) if deed.result == "forbidden"]
    assert {deed.actor for deed in refusals} == {admin.actor}
    assert [(deed.action, deed.subject, dict(deed.detail)) for deed in refusals] == [
        (Action.INVITE_ADD, Subject(kind=SubjectKind.INVITE, name="dan@example.org"), {"role": "admin"}),
        (
            Action.INVITE_REVOKE,
            Subject(kind=SubjectKind.INVITE, id=asked.id, name="eve@example.org"),
            {"role": "admin"},
        ),
    ]
