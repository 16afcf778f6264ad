"""Who may call: each guard only reads the request, the core judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from station_core.errors import Forbidden, Unauthenticated
from station_core.identity.model import Role

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.types import Guard, Scope

    from station_core.home import Home

    Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]

DEVICE_TOKEN: Final = (b"x-device-token", b"device-token")
_BEARER: Final = b"bearer "
FREE: Final = frozenset({"OPTIONS", "HEAD"})  # docs/protocols.md §4, "Who asks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """
    The checks that routes name; each raises `Unauthenticated` or `Forbidden`.

    A user who passed is the scope's `user`, a device that passed the scope's `auth` (its id).
    """

    member: Guard
    """Anybody with an access token."""
    admin: Guard
    """Owner or admin."""
    device: Guard
    """A device with its token."""


def guards_of(home: Home) -> Guards:
    """
    The guards of a home.

    They are functions, for Litestar copies what routes are given, and with a method the whole home; and coroutines,
    although nothing waits, for it runs others in a thread.
    """

    async def member(connection: Connection, _: BaseRouteHandler) -> None:
        scope = connection.scope
        if _method(scope) not in FREE:
            scope["user"] = home.access.verify(bearer(scope))

    async def admin(connection: Connection, handler: BaseRouteHandler) -> None:
        await member(connection, handler)
        scope = connection.scope
        if _method(scope) not in FREE and scope["user"].user.role is Role.MEMBER:
            raise Forbidden

    async def device(connection: Connection, _: BaseRouteHandler) -> None:
        scope = connection.scope
        if _method(scope) not in FREE:
            scope["auth"] = home.keyring.verify(_header(scope, *DEVICE_TOKEN).decode("latin-1"))

    return Guards(member=member, admin=admin, device=device)


def bearer(scope: Scope) -> str:
    """The token of the Authorization header; raise `Unauthenticated` for none, or a credential of another kind."""
    value = _header(scope, b"authorization")
    if value[: len(_BEARER)].lower() != _BEARER:
        raise Unauthenticated
    return value[len(_BEARER) :].strip().decode("latin-1")


def _method(scope: Scope) -> str:
    return scope["method"]  # type: ignore[typeddict-item]  # only HTTP routes are guarded


def _header(scope: Scope, *names: bytes) -> bytes:
    """The value of the first of these headers that is there; one that is there twice says nothing."""
    for name in names:
        values = [value for key, value in scope["headers"] if key == name]
        if len(values) == 1:
            return values[0]
        if values:
            raise Unauthenticated
    raise Unauthenticated
