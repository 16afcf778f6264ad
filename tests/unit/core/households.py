"""A household of which the cloud tells, without a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final

from station_core.identity.cloud_members import CloudMember, Member, checked
from station_core.identity.model import Role, User
from station_core.identity.reconciling import Household, Refused, reconciled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.identity.reconciling import Reconciliation

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGESTS: Final = [f"$2b$10${letter * 53}" for letter in "ab"]


def local(name: str, role: Role = Role.MEMBER) -> User:
    return User(
        id=f"local {name}",
        email=f"{name}@x.example",
        name=name,
        role=role,
        created_at=NOON,
        password_hash="argon2",
    )


def cloud(name: str, role: Role = Role.MEMBER, /, **more: object) -> User:
    user = User(
        id=f"cloud {name}",
        email=f"{name}@x.example",
        name=name,
        role=role,
        created_at=NOON,
        cloud_user_id=name,
        station_password_hash=DIGESTS[0],
        synced_at=NOON,
    )
    return replace(user, **more)  # type: ignore[arg-type]  # as named


def member(name: str, /, **more: object) -> Member:
    fields = {"email": f"{name}@x.example", "role": "member", **more}
    return checked(CloudMember(cloud_user_id=name, **fields))  # type: ignore[arg-type]  # as named


OWNER: Final = local("anna", Role.OWNER)


class Home:
    """A household over a whole story."""

    def __init__(self, *users: User, owner: User | None = OWNER) -> None:
        everybody = users if owner is None else (owner, *(user for user in users if user.id != owner.id))
        self.users = {user.id: user for user in everybody}
        self.owner_id = None if owner is None else owner.id
        self.last: Reconciliation
        self._numbers = count()

    def household(self, heir: str | None = None) -> Household:
        return Household(
            users=dict(self.users),
            owner_id=self.owner_id,
            at=NOON,
            mint=lambda: f"new {next(self._numbers)}",
            heir=heir,
        )

    def keep(self, household: Household) -> None:
        change = self.last = household.outcome()
        for user_id in change.removed:
            del self.users[user_id]
        self.users |= {user.id: user for user in change.put}
        self.owner_id = change.owner_id or self.owner_id

    def sync(self, *members: Member, owner: str | None = None, also: Sequence[str] = ()) -> list[tuple[str, str]]:
        named = {*(one.cloud_user_id for one in members), *also}
        household, refused = reconciled(self.household, members, named=named, owner=owner)
        self.keep(household)
        return [(one.member.cloud_user_id, one.why) for one in refused]

    def take(self, told: Member) -> str:
        household = self.household()
        try:
            household.take([told])
        except Refused as refusal:
            return refusal.why
        self.keep(household)
        return ""

    def of(self, cloud_user_id: str) -> User:
        user = self.household().bearer(cloud_user_id)
        assert user is not None
        return user

    @property
    def roles(self) -> dict[str, str]:
        return {user.email.partition("@")[0]: user.role.value for user in self.users.values()}
