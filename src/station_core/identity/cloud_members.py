"""What the cloud tells of a person, and what of that can be a person of the household."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, TypeAlias

from station_core.errors import Malformed
from station_core.identity.model import Role
from station_core.identity.newcomers import checked_email
from station_core.values import text_weight

ID_LENGTH: Final = 128  # characters
NAME_LENGTH: Final = 200  # characters
COSTS: Final = range(4, 15)  # of bcrypt: a cost of 31 would hang a thread for days
_BCRYPT: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_ROLES: Final = {"owner": Role.ADMIN, "admin": Role.ADMIN, "member": Role.MEMBER}  # who owns is said elsewhere


class Untold(Enum):
    """Nothing was said about it: it stays as it is."""

    UNTOLD = "untold"


UNTOLD: Final = Untold.UNTOLD
Digest: TypeAlias = str | Literal[Untold.UNTOLD] | None
"""Of a station password; None: there is none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMember:
    """A person as the cloud tells of them, unchecked; what is None or untold stays as it is."""

    cloud_user_id: str
    email: str | None = None
    name: str | None = None
    role: str | None = None
    station_password_hash: Digest = field(default=UNTOLD, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The same, checked."""

    cloud_user_id: str
    email: str | None
    name: str | None
    role: Role | None
    station_password_hash: Digest = field(repr=False)


def checked(told: CloudMember) -> Member:
    """The member, or raise `Malformed`: an id, an address, a name, a role or a digest that can be none."""
    name = (told.name or "").strip() or None
    if name is not None:
        text_weight(name)
    digest = told.station_password_hash
    return Member(
        cloud_user_id=checked_id(told.cloud_user_id),
        email=None if told.email is None else checked_email(told.email),
        name=None if name is None else name[:NAME_LENGTH],
        role=None if told.role is None else _role(told.role),
        station_password_hash=checked_digest(digest) if isinstance(digest, str) else digest,
    )


def checked_id(cloud_user_id: str) -> str:
    """By what the cloud knows a person, or raise `Malformed`."""
    text_weight(cloud_user_id)
    if not 0 < len(cloud_user_id) <= ID_LENGTH:
        raise Malformed(f"A cloudUserId has 1 to {ID_LENGTH} characters.")
    return cloud_user_id


def checked_digest(digest: str) -> str:
    """A bcrypt digest that takes no more time to check than is fair, or raise `Malformed`."""
    found = _BCRYPT.fullmatch(digest)
    if found is None or int(found[1]) not in COSTS:
        raise Malformed(f"A stationPasswordHash is bcrypt's, of cost {COSTS[0]} to {COSTS[-1]}.")
    return digest


def _role(role: str) -> Role:
    try:
        return _ROLES[role]
    except KeyError:
        raise Malformed("A role is owner, admin or member.") from None
