from __future__ import annotations

import pytest

from station_core.errors import Forbidden
from station_core.identity.model import Role
from station_core.identity.policy import (
    ADMINS,
    ANYBODY,
    OWNERS,
    authorize,
    check_may_manage,
    require_station_role,
    station_role,
)

OWNER, ADMIN, MEMBER = Role.OWNER, Role.ADMIN, Role.MEMBER


@pytest.mark.parametrize(
    ("roles", "let_in"), [(ANYBODY, {OWNER, ADMIN, MEMBER}), (ADMINS, {OWNER, ADMIN}), (OWNERS, {OWNER})]
)
def test_a_global_role_is_let_in_where_it_is_named(roles: frozenset[Role], let_in: set[Role]) -> None:
    found = set()
    for role in Role:
        try:
            authorize(role, roles)
        except Forbidden:
            continue
        found.add(role)

    assert found == let_in


@pytest.mark.parametrize(
    ("user_id", "role"),
    [("anna", OWNER), ("ben", ADMIN), ("carl", MEMBER), ("nobody", None)],
)
def test_the_owner_of_the_station_is_its_owner_whatever_the_members_list_says(user_id: str, role: Role | None) -> None:
    members = {"anna": MEMBER, "ben": ADMIN, "carl": MEMBER}

    assert station_role(user_id, owner_id="anna", members=members) is role


def test_a_station_role_is_required() -> None:
    members = {"ben": ADMIN, "carl": MEMBER}

    assert require_station_role("ben", ADMINS, owner_id="anna", members=members) is ADMIN
    assert require_station_role("anna", OWNERS, owner_id="anna", members=members) is OWNER
    for stranger in ("carl", "nobody"):
        with pytest.raises(Forbidden):
            require_station_role(stranger, ADMINS, owner_id="anna", members=members)


def test_a_station_without_an_owner_has_none() -> None:
    assert station_role("anna", owner_id=None, members={}) is None


def test_an_owner_manages_everybody_an_admin_members_a_member_nobody() -> None:
    allowed = set()
    for by in Role:
        for whom in Role:
            try:
                check_may_manage(by, whom)
            except Forbidden:
                continue
            allowed.add((by, whom))

    assert allowed == {(OWNER, OWNER), (OWNER, ADMIN), (OWNER, MEMBER), (ADMIN, MEMBER)}
