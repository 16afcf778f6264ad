"""Who may call: each guard only reads the request, the core judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from station_adapters.http.cookies import ACCESS, check_own, cookie_of
from station_core.errors import Unauthenticated
from station_core.identity.policy import ADMINS, OWNERS, authorize

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from litestar import Request, Response
    from litestar.types import Scope

    from station_adapters.http.callers import Callers
    from station_core.audit.model import Actor
    from station_core.home import Home
    from station_core.identity.model import Principal, Role

    Check: TypeAlias = Callable[[Request[Any, Any, Any]], Awaitable[Response[Any] | None]]

DEVICE_TOKEN: Final = (b"x-device-token", b"device-token")
_BEARER: Final = b"bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """
    The checks that routes name as their `before_request`; each raises `Unauthenticated` or `Forbidden`.

    A user who passed is the scope's `user`, a device that passed the scope's `auth` (its id). Named by a handler, they
    aren't asked for OPTIONS and HEAD. (Litestar's own guards would copy the handler for every request.)
    """

    member: Check
    """Anybody with an access token."""
    admin: Check
    """Whose global role is owner or admin."""
    owner: Check
    """Whose global role is owner."""
    station_admin: Check
    """Who is owner or admin in the station."""
    station_owner: Check
    """Who is the station's owner."""
    device: Check
    """A device with its token."""
    agent: Check
    """The station's agent with its token."""


def guards_of(home: Home, is_agent: Callable[[str], bool], callers: Callers) -> Guards:
    """
    The guards of a home; *is_agent* compares a token with the agent's in constant time, *callers* tells who asks.

    They are functions, for Litestar copies what routes are given, and with a method the whole home; and coroutines,
    although nothing waits, for it runs others in a thread.
    """

    async def member(request: Request[Any, Any, Any]) -> None:
        request.scope["user"] = identified(home, callers, request.scope)

    def globally(roles: Collection[Role]) -> Check:
        async def check(request: Request[Any, Any, Any]) -> None:
            await member(request)
            authorize(request.scope["user"].user.role, roles)

        return check

    def in_the_station(roles: Collection[Role]) -> Check:
        async def check(request: Request[Any, Any, Any]) -> None:
            await member(request)
            home.residents.require_station_role(request.scope["user"].user.id, roles)

        return check

    async def device(request: Request[Any, Any, Any]) -> None:
        scope = request.scope
        scope["auth"] = home.keyring.verify(_header(scope, *DEVICE_TOKEN).decode("latin-1"))

    async def agent(request: Request[Any, Any, Any]) -> None:
        if not is_agent(bearer(request.scope)):
            raise Unauthenticated

    return Guards(
        member=member,
        admin=globally(ADMINS),
        owner=globally(OWNERS),
        station_admin=in_the_station(ADMINS),
        station_owner=in_the_station(OWNERS),
        device=device,
        agent=agent,
    )


def asker(scope: Scope) -> Actor:
    """The user who passed a guard, as who does something."""
    actor: Actor = scope["user"].user.actor
    return actor


def identified(home: Home, callers: Callers, scope: Scope) -> Principal:
    """
    Whose access token comes with a request, as bearer or else as cookie.

    Raise `Unauthenticated`, or `Forbidden` for a change by a cookie that isn't known to come from a page of ours.
    """
    if any(name == b"authorization" for name, _ in scope["headers"]):
        return home.access.verify(bearer(scope))
    principal = home.access.verify(cookie_of(scope, ACCESS) or "")
    check_own(scope, callers)
    return principal


def bearer(scope: Scope) -> str:
    """The token of the Authorization header; raise `Unauthenticated` for none, or a credential of another kind."""
    value = _header(scope, b"authorization")
    if value[: len(_BEARER)].lower() != _BEARER:
        raise Unauthenticated
    return value[len(_BEARER) :].strip().decode("latin-1")


def _header(scope: Scope, *names: bytes) -> bytes:
    """The value of the first of these headers that is there; one that is there twice says nothing."""
    for name in names:
        values = [value for key, value in scope["headers"] if key == name]
        if len(values) == 1:
            return values[0]
        if values:
            raise Unauthenticated
    raise Unauthenticated
