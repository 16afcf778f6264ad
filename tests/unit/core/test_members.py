"""Who may make whom what, and who may ask whom to join."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import INSTALLER, SYSTEM, Action, Actor
from station_core.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    RateLimited,
    StoreUnavailable,
    Unauthenticated,
)
from station_core.identity.invites import AGAIN_AFTER, INVITED_FOR, OPEN_AT_ONCE
from station_core.identity.model import Role
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, refused

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.audit.model import Deed
    from station_core.home import Home
    from station_core.identity.model import Login

ROLES = [Role.OWNER, Role.ADMIN, Role.MEMBER]
EVE = "eve@example.org"


@dataclass
class Household:
    """One of each role, and a second owner, who leaves the first free to go."""

    home: Home
    logins: dict[str, Login]

    def __getitem__(self, name: str) -> Login:
        return self.logins[name]

    def actor(self, name: str) -> Actor:
        return self.logins[name].user.actor

    def role(self, name: str) -> Role | None:
        user = self.home.residents.user(self.logins[name].user.id)
        return None if user is None else user.role


@pytest.fixture
async def people(home: Home) -> Household:
    logins = {"owner": await home.access.register(email=EMAIL, password=PASSWORD)}
    for name, role in (("owner2", Role.OWNER), ("admin", Role.ADMIN), ("admin2", Role.ADMIN)):
        await home.accounts.add(email=f"{name}@home.example", password=OTHER, role=role)
        logins[name] = await home.access.login(email=f"{name}@home.example", password=OTHER)
    for name in ("member", "member2"):
        await home.accounts.add(email=f"{name}@home.example", password=OTHER, role=Role.MEMBER)
        logins[name] = await home.access.login(email=f"{name}@home.example", password=OTHER)
    return Household(home, logins)


async def told(ports: MemoryPorts, action: Action) -> list[Deed]:
    """Newest first."""
    return [record.deed for record in (await ports.audit.records(limit=500)).items if record.deed.action is action]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("whom", ["owner", "owner2", "admin", "admin2", "member", "member2"])
@pytest.mark.parametrize("by", ["owner", "admin", "member"])
async def test_roles_are_given_by_who_is_above_both(
    home: Home, people: Household, by: str, whom: str, role: Role
) -> None:
    before = people.role(whom)
    may = by == "owner" or (by == "admin" and whom.startswith("member") and role is Role.MEMBER)
    try:
        await home.accounts.change_role(people[whom].user.id, role, by=people.actor(by))
    except Forbidden:
        assert not may
        assert people.role(whom) is before
        assert not refused(home, people[whom].access_token)
    else:
        assert may
        assert people.role(whom) is role
        assert refused(home, people[whom].access_token) is (role is not before)


@pytest.mark.parametrize(
    ("by", "may"),
    [
        ("owner", {"owner", "owner2", "admin", "admin2", "member", "member2"}),
        ("admin", {"member", "member2"}),
        ("member", set()),
    ],
)
@pytest.mark.parametrize("whom", ["owner", "owner2", "admin", "admin2", "member", "member2"])
async def test_who_is_below_may_be_removed(home: Home, people: Household, by: str, may: set[str], whom: str) -> None:
    if whom in may:
        await home.accounts.remove(people[whom].user.id, by=people.actor(by))
    else:
        with pytest.raises(Forbidden):
            await home.accounts.remove(people[whom].user.id, by=people.actor(by))

    assert (people.role(whom) is None) is (whom in may)
    assert refused(home, people[whom].access_token) is (whom in may)


async def test_the_last_owner_stays_whoever_wants_it(home: Home, people: Household) -> None:
    await home.accounts.disable("owner2@home.example")
    owner = people["owner"].user
    for by in (owner.actor, INSTALLER, SYSTEM):
        with pytest.raises(Conflict):
            await home.accounts.change_role(owner.id, Role.ADMIN, by=by)
        with pytest.raises(Conflict):
            await home.accounts.remove(owner.id, by=by)

    assert people.role("owner") is Role.OWNER
    assert not refused(home, people["owner"].access_token)


async def test_of_two_owners_who_remove_each_other_at_once_one_stays(home: Home, people: Household) -> None:
    first, second = people["owner"].user, people["owner2"].user
    ends = await asyncio.gather(
        home.accounts.remove(second.id, by=first.actor),
        home.accounts.remove(first.id, by=second.actor),
        return_exceptions=True,
    )

    left = [user for user in home.accounts.users() if user.role is Role.OWNER]
    assert len(left) == 1
    assert home.residents.owner_id == left[0].id
    # The other was nobody any more when it came to their turn.
    assert [type(end) for end in ends if isinstance(end, Exception)] == [Unauthenticated]


async def test_the_role_of_the_moment_counts_and_not_that_of_the_question(home: Home, people: Household) -> None:
    admin = people["admin"].user
    await home.accounts.change_role(admin.id, Role.MEMBER, by=people.actor("owner"))
    with pytest.raises(Forbidden):
        await home.accounts.remove(people["member"].user.id, by=admin.actor)
    await home.accounts.disable(admin.email)
    with pytest.raises(Unauthenticated):
        await home.accounts.remove(people["member"].user.id, by=admin.actor)

    assert people.role("member") is Role.MEMBER


async def test_nobody_is_not_found(home: Home, people: Household) -> None:
    with pytest.raises(NotFound):
        await home.accounts.change_role("nobody", Role.MEMBER, by=people.actor("owner"))
    with pytest.raises(NotFound):
        await home.accounts.remove("nobody", by=people.actor("owner"))
    with pytest.raises(NotFound):
        await home.invites.revoke("nobody", by=people.actor("owner"))


async def test_the_same_role_again_changes_nothing(ports: MemoryPorts, home: Home, people: Household) -> None:
    await home.accounts.change_role(people["member"].user.id, Role.MEMBER, by=people.actor("admin"))

    assert not refused(home, people["member"].access_token)
    assert await told(ports, Action.ROLE_CHANGE) == []


async def test_changes_and_refusals_are_recorded(ports: MemoryPorts, home: Home, people: Household) -> None:
    member, admin = people["member"].user, people["admin"].user
    await home.accounts.change_role(member.id, Role.ADMIN, by=people.actor("owner"))
    with pytest.raises(Forbidden):
        await home.accounts.remove(member.id, by=admin.actor)
    await home.accounts.remove(member.id, by=INSTALLER)
    await home.audit.drained()

    [changed] = await told(ports, Action.ROLE_CHANGE)
    assert (changed.actor, changed.subject, changed.result) == (people.actor("owner"), member.subject, "done")
    assert dict(changed.detail) == {"before": "member", "now": "admin"}
    removals = await told(ports, Action.USER_REMOVE)
    assert {(deed.actor, deed.result) for deed in removals} == {(INSTALLER, "done"), (admin.actor, "forbidden")}


async def test_what_the_store_cannot_keep_changes_nobody(ports: MemoryPorts, home: Home, people: Household) -> None:
    ports.identities.trouble = StoreUnavailable()
    for change in (
        home.accounts.change_role(people["member"].user.id, Role.ADMIN, by=people.actor("owner")),
        home.accounts.remove(people["member"].user.id, by=people.actor("owner")),
        home.invites.invite(email=EVE, role=Role.MEMBER, by=people.actor("owner")),
    ):
        with pytest.raises(StoreUnavailable):
            await change

    assert people.role("member") is Role.MEMBER
    assert not refused(home, people["member"].access_token)
    assert home.invites.all() == []


@pytest.mark.parametrize(
    ("by", "role", "may"),
    [
        ("owner", Role.ADMIN, True),
        ("owner", Role.MEMBER, True),
        ("admin", Role.MEMBER, True),
        ("admin", Role.ADMIN, False),
        ("member", Role.MEMBER, False),
    ],
)
async def test_who_may_ask_whom_to_join_may_also_revoke_it(
    home: Home, people: Household, by: str, role: Role, *, may: bool
) -> None:
    asked = await home.invites.invite(email=EVE, role=role, by=people.actor("owner"))
    await home.invites.revoke(asked.id, by=people.actor("owner"))
    if may:
        mine = await home.invites.invite(email=EVE, role=role, by=people.actor(by))
        assert (mine.invited_by, mine.role) == (people.actor(by).name, role)
        await home.invites.revoke(mine.id, by=people.actor(by))
    else:
        with pytest.raises(Forbidden):
            await home.invites.invite(email=EVE, role=role, by=people.actor(by))
        theirs = await home.invites.invite(email=EVE, role=role, by=INSTALLER)
        with pytest.raises(Forbidden):
            await home.invites.revoke(theirs.id, by=people.actor(by))
        assert home.invites.all() == [theirs]
        await home.invites.revoke(theirs.id, by=INSTALLER)
        assert home.invites.all() == []


async def test_an_invitation_is_kept_over_a_restart_until_its_time_is_up(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        owner = await home.access.register(email=EMAIL, password=PASSWORD)
        asked = await home.invites.invite(email=f"  {EVE} ", role=Role.MEMBER, by=owner.user.actor)
    async with ports.running() as home:
        assert home.invites.all() == [asked]
        assert (asked.email, asked.expires_at - asked.created_at) == (EVE, INVITED_FOR)
        ports.clock.leap(INVITED_FOR.total_seconds())
        assert home.invites.all() == []
        with pytest.raises(NotFound):
            await home.invites.revoke(asked.id, by=INSTALLER)


async def test_who_is_asked_again_is_asked_for_longer_but_not_at_once(
    ports: MemoryPorts, home: Home, people: Household
) -> None:
    first = await home.invites.invite(email=EVE, role=Role.MEMBER, by=people.actor("admin"))
    ports.clock.leap(20)
    with pytest.raises(RateLimited) as too_soon:
        await home.invites.invite(email=EVE.upper(), role=Role.ADMIN, by=people.actor("owner"))
    ports.clock.leap(AGAIN_AFTER.total_seconds() - 20)
    again = await home.invites.invite(email=EVE.upper(), role=Role.ADMIN, by=people.actor("owner"))

    assert too_soon.value.retry_after == AGAIN_AFTER.total_seconds() - 20
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert (again.role, again.sent_at - first.sent_at) == (Role.ADMIN, AGAIN_AFTER)
    assert home.invites.all() == [again]


async def test_only_a_member_or_an_admin_who_is_not_here_is_asked(home: Home, people: Household) -> None:
    owner = people.actor("owner")
    with pytest.raises(Malformed):
        await home.invites.invite(email=EVE, role=Role.OWNER, by=owner)
    with pytest.raises(Malformed):
        await home.invites.invite(email="no address", role=Role.MEMBER, by=owner)
    with pytest.raises(Conflict):
        await home.invites.invite(email="MEMBER@home.example", role=Role.MEMBER, by=owner)

    assert home.invites.all() == []


async def test_who_has_come_is_asked_no_more(home: Home, people: Household) -> None:
    await home.invites.invite(email=EVE, role=Role.MEMBER, by=people.actor("owner"))
    await home.accounts.add(email=EVE, password=OTHER, role=Role.MEMBER)

    assert home.invites.all() == []


async def test_so_many_are_asked_at_once_and_no_more(ports: MemoryPorts, home: Home, people: Household) -> None:
    owner = people.actor("owner")
    for n in range(OPEN_AT_ONCE):
        await home.invites.invite(email=f"{n}@example.org", role=Role.MEMBER, by=owner)
    with pytest.raises(Conflict):
        await home.invites.invite(email=EVE, role=Role.MEMBER, by=owner)
    ports.clock.leap(AGAIN_AFTER.total_seconds())
    await home.invites.invite(email="7@example.org", role=Role.MEMBER, by=owner)

    assert len(home.invites.all()) == OPEN_AT_ONCE
    assert len(await told(ports, Action.INVITE_ADD)) == OPEN_AT_ONCE + 1


async def test_without_a_name_the_inviter_is_told_by_kind(ports: MemoryPorts, home: Home, people: Household) -> None:
    asked = await home.invites.invite(email=EVE, role=Role.MEMBER, by=INSTALLER)
    await home.invites.revoke(asked.id, by=people.actor("admin"))

    [revoked] = await told(ports, Action.INVITE_REVOKE)
    assert asked.invited_by == "installer"
    assert (revoked.actor, revoked.subject.name, dict(revoked.detail)) == (
        people.actor("admin"),
        EVE,
        {"role": "member"},
    )
