"""About the people of the household; passwords come in, none goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_app.orders.order import Nothing, Order
from station_core.audit.model import INSTALLER
from station_core.identity.model import Role  # msgspec reads the fields' types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.home import Home
    from station_core.identity.model import User


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """Who shall get in, as what."""

    email: str
    password: str
    role: Role = Role.MEMBER
    name: str | None = None


class Whom(msgspec.Struct, forbid_unknown_fields=True):
    """A person by their e-mail address."""

    email: str


class NewRole(msgspec.Struct, forbid_unknown_fields=True):
    """Who shall be what."""

    email: str
    role: Role


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """For whom, and which."""

    email: str
    password: str


async def listed(home: Home, _: Nothing) -> list[dict[str, Any]]:
    """All, by e-mail address."""
    return [told(user) for user in home.accounts.users()]


async def reset_password(home: Home, wanted: NewPassword) -> dict[str, Any]:
    """A new password; all sessions of the user end."""
    return told(await home.accounts.reset_password(email=wanted.email, password=wanted.password, by=INSTALLER))


async def add(home: Home, new: NewUser) -> dict[str, Any]:
    """One more; the first has to be an owner."""
    return told(
        await home.accounts.add(email=new.email, password=new.password, role=new.role, name=new.name, by=INSTALLER)
    )


async def disable(home: Home, whom: Whom) -> dict[str, Any]:
    """Keep somebody out; all their sessions end."""
    return told(await home.accounts.disable(whom.email, by=INSTALLER))


async def enable(home: Home, whom: Whom) -> dict[str, Any]:
    """Let somebody in again."""
    return told(await home.accounts.enable(whom.email, by=INSTALLER))


async def change_role(home: Home, wanted: NewRole) -> dict[str, Any]:
    """Make somebody something else; all their sessions end."""
    user = home.accounts.user(wanted.email)
    return told(await home.accounts.change_role(user.id, wanted.role, by=INSTALLER))


async def remove(home: Home, whom: Whom) -> dict[str, Any]:
    """Somebody belongs to the household no more; all their sessions end."""
    return told(await home.accounts.remove(home.accounts.user(whom.email).id, by=INSTALLER))


def told(user: User) -> dict[str, Any]:
    """What the operator sees of a person."""
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "disabled": user.disabled,
        "createdAt": user.created_at,
    }


ORDERS: Final[Mapping[str, Order]] = {
    "user list": Order(wants=Nothing, carry_out=listed),
    "user add": Order(wants=NewUser, carry_out=add),
    "user role": Order(wants=NewRole, carry_out=change_role),
    "user remove": Order(wants=Whom, carry_out=remove),
    "user disable": Order(wants=Whom, carry_out=disable),
    "user enable": Order(wants=Whom, carry_out=enable),
    "user reset-password": Order(wants=NewPassword, carry_out=reset_password),
}
