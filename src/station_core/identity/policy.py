"""Who may do what: pure functions, the whole of it; guards and services only ask."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.errors import Forbidden
from station_core.identity.errors import SyncOverdue
from station_core.identity.model import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from station_core.identity.model import User

CONFIRMED_FOR: Final = timedelta(days=14)  # docs/protocols.md §3

ANYBODY: Final = frozenset(Role)
ADMINS: Final = frozenset({Role.OWNER, Role.ADMIN})
OWNERS: Final = frozenset({Role.OWNER})

_RANK: Final = {Role.MEMBER: 0, Role.ADMIN: 1, Role.OWNER: 2}


def authorize(role: Role, roles: Collection[Role]) -> None:
    """Raise `Forbidden` unless the global role is one of these."""
    if role not in roles:
        raise Forbidden


def station_role(user_id: str, *, owner_id: str | None, members: Mapping[str, Role]) -> Role | None:
    """What somebody is in the station: its owner, else what the members' list says; None for a stranger to it."""
    return Role.OWNER if user_id == owner_id else members.get(user_id)


def require_station_role(
    user_id: str, roles: Collection[Role], *, owner_id: str | None, members: Mapping[str, Role]
) -> Role:
    """The role in the station; raise `Forbidden` unless it's one of these."""
    role = station_role(user_id, owner_id=owner_id, members=members)
    if role is None:
        raise Forbidden
    authorize(role, roles)
    return role


def digests(user: User) -> Sequence[str]:
    """By which password digests this user gets in at present: the own one, then the cloud's; may be none."""
    return tuple(digest for digest in (user.password_hash, user.station_password_hash) if digest is not None)


def check_confirmed(user: User, known_by: str, *, at: datetime) -> None:
    """Raise `SyncOverdue` for who got in by the cloud's word, when that is too old; one's own password is never."""
    if known_by != user.password_hash and (user.synced_at is None or at - user.synced_at > CONFIRMED_FOR):
        raise SyncOverdue


def check_may_manage(by: Role, whom: Role) -> None:
    """
    Raise `Forbidden` unless the one may change or remove the other, or make somebody that.

    An owner may it of everybody, an admin of members.
    """
    if by is not Role.OWNER and _RANK[by] <= _RANK[whom]:
        raise Forbidden
