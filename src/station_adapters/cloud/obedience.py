from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import UNSET, UnsetType

from station_adapters.cloud.frames import (
    IdentitySync,
    MemberAdded,
    MemberRemoved,
    MemberUpdated,
    StationPasswordChanged,
    StationRenamed,
    member,
)
from station_core.errors import Malformed
from station_core.identity.cloud_members import UNTOLD, CloudMember
from station_core.identity.sync import Unreadable

if TYPE_CHECKING:
    from station_adapters.cloud.frames import Member, Order
    from station_core.home import Home

T = TypeVar("T")


class Obedience:
    """Does what an authenticated cloud says in plain messages; when the store raises, nothing is done."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def obey(self, order: Order) -> None:
        """Do it; what can't be done is counted and logged by the core."""
        people = self._home.identity_sync
        if isinstance(order, IdentitySync):
            told = [_listed(one) for one in order.everybody]
            await people.sync(told, station_name=_given(order.station_name), owner_id=_given(order.owner_id))
        elif isinstance(order, MemberAdded):
            await people.add(_told(order.user))
        elif isinstance(order, MemberUpdated):
            await people.update(_told(order.user))
        elif isinstance(order, MemberRemoved):
            await people.remove(order.cloud_user_id)
        elif isinstance(order, StationPasswordChanged):
            await people.change_password(order.cloud_user_id, order.station_password_hash)
        elif isinstance(order, StationRenamed):
            await people.rename(order.name)
        else:
            await self._home.reset.begin()


def _listed(entry: Any) -> CloudMember | Unreadable:
    try:
        return _told(member(entry))
    except Malformed:
        named = entry.get("cloudUserId") if isinstance(entry, dict) else None
        return Unreadable(cloud_user_id=named if isinstance(named, str) else None)


def _told(one: Member) -> CloudMember:
    digest = one.station_password_hash
    return CloudMember(
        cloud_user_id=one.cloud_user_id,
        email=_given(one.email),
        name=_given(one.name),
        role=_given(one.role),
        station_password_hash=UNTOLD if isinstance(digest, UnsetType) else digest,
    )


def _given(value: T | UnsetType | None) -> T | None:
    return None if value is UNSET or isinstance(value, UnsetType) else value
