"""About the people of the household; passwords come in, none goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_app.orders.order import Nothing, Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.home import Home
    from station_core.identity.model import User


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """For whom, and which."""

    email: str
    password: str


async def listed(home: Home, _: Nothing) -> list[dict[str, Any]]:
    """All, by e-mail address."""
    return [told(user) for user in home.access.users()]


async def reset_password(home: Home, wanted: NewPassword) -> dict[str, Any]:
    """A new password; all sessions of the user end."""
    user = home.access.user(wanted.email)
    await home.access.reset_password(email=user.email, password=wanted.password)
    return told(user)


def told(user: User) -> dict[str, Any]:
    """What the operator sees of a person."""
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "createdAt": user.created_at,
    }


ORDERS: Final[Mapping[str, Order]] = {
    "user list": Order(wants=Nothing, carry_out=listed),
    "user reset-password": Order(wants=NewPassword, carry_out=reset_password),
}
