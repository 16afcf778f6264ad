"""The checks of docs/protocols.md §4, each by itself: who gets through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.http.callers import Callers
from station_adapters.http.guards import guards_of
from station_core.errors import Forbidden, Unauthenticated
from station_core.identity.model import Role

if TYPE_CHECKING:
    from station_adapters.http.guards import Check, Guards
    from tests.contract.http_rig import HttpRig


@dataclass
class Asked:
    """A request, as far as a guard reads it."""

    scope: dict[str, Any] = field(default_factory=dict)


async def passes(check: Check, **headers: str) -> bool:
    scope = {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}
    try:
        await check(Asked(scope))  # type: ignore[arg-type]  # a guard reads nothing but the scope
    except (Forbidden, Unauthenticated):
        return False
    return True


@pytest.fixture
def guards(rig: HttpRig) -> Guards:
    return guards_of(rig.home, lambda token: token == "the agent's", Callers())


@pytest.mark.parametrize("role", Role)
async def test_each_role_passes_what_stands_before_its_rights(rig: HttpRig, guards: Guards, role: Role) -> None:
    bearer = f"Bearer {await rig.token(role)}"
    names = ("member", "admin", "owner", "station_admin", "station_owner", "device", "agent")
    passed = {name for name in names if await passes(getattr(guards, name), authorization=bearer)}

    admin = {"member", "admin", "station_admin"}
    assert passed == {Role.MEMBER: {"member"}, Role.ADMIN: admin, Role.OWNER: admin | {"owner", "station_owner"}}[role]


async def test_a_role_in_the_station_is_the_stores_word_and_not_the_tokens(rig: HttpRig, guards: Guards) -> None:
    bearer = f"Bearer {await rig.token(Role.ADMIN)}"
    rig.home.residents._members.clear()

    assert await passes(guards.admin, authorization=bearer)
    assert not await passes(guards.station_admin, authorization=bearer)


async def test_a_device_and_the_agent_pass_only_their_own(rig: HttpRig, guards: Guards) -> None:
    _, token = await rig.add()
    device, agent = {"x_device_token": token["X-Device-Token"]}, {"authorization": "Bearer the agent's"}
    names = ("member", "admin", "owner", "station_admin", "station_owner", "device", "agent")

    assert {name for name in names if await passes(getattr(guards, name), **device)} == {"device"}
    assert {name for name in names if await passes(getattr(guards, name), **agent)} == {"agent"}
