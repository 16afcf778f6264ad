"""
What the household becomes by what the cloud tells of its members: pure, the rules of docs/protocols.md §3.

A user without a `cloud_user_id` is purely local: no message removes them. Who is `linked` was here before the cloud
told of them, and stays when it tells of them no more.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003  # dataclasses read the fields' types
from dataclasses import dataclass, field, replace
from datetime import datetime  # noqa: TC003  # same
from typing import TYPE_CHECKING, Final

from station_core.identity.cloud_members import UNTOLD, Member
from station_core.identity.model import Role, User

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

NO_OWNER: Final = "no_owner"
EMAIL_TAKEN: Final = "email_taken"
INCOMPLETE: Final = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """
    What of the household changes, as one: *put* are users as they are from now on, *removed* the ids of those that go.

    Of the *revoked*, removed or not, all sessions end. None: the owner, or the station's name, stays as it is.
    """

    put: Sequence[User] = ()
    removed: Sequence[str] = ()
    revoked: Sequence[str] = ()
    owner_id: str | None = None
    station_name: str | None = None


class Refused(Exception):  # a fact about one member, not an error of the station's
    """What the cloud tells of this member can't be so."""

    def __init__(self, member: Member, why: str) -> None:
        super().__init__(why)
        self.member = member
        self.why = why


@dataclass(kw_only=True)
class Household:
    """The people as they become; *mint* makes ids. *heir*: the cloud user who is to be the owner, if anybody else."""

    users: dict[str, User]
    owner_id: str | None
    at: datetime
    mint: Callable[[], str]
    heir: str | None = None
    _revoked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._before = dict(self.users)
        self._owner_before = self.owner_id

    def bearer(self, cloud_user_id: str) -> User | None:
        """Whom the cloud knows by this."""
        return next((user for user in self.users.values() if user.cloud_user_id == cloud_user_id), None)

    def leads(self, user: User) -> bool:
        """Whether it's the owner; when there's an heir, the heir is it already."""
        return user.id == self.owner_id if self.heir is None else user.cloud_user_id == self.heir

    def leave(self, user: User) -> None:
        """The cloud tells no more of this user: they go, or stay as who they were before."""
        self._revoked.add(user.id)
        if user.linked:
            self.users[user.id] = replace(
                user,
                role=user.role if self.leads(user) else Role.MEMBER,
                cloud_user_id=None,
                linked=False,
                station_password_hash=None,
                synced_at=None,
            )
        else:
            del self.users[user.id]

    def take(self, members: Sequence[Member]) -> None:
        """These are members, as told; raise `Refused` for the first that can't be: then nothing here is of use."""
        known = {user.cloud_user_id: user for user in self.users.values() if user.cloud_user_id is not None}
        moving = {known[m.cloud_user_id].id for m in members if m.cloud_user_id in known and _moves(m, known)}
        addresses = {user.email.casefold(): user.id for user in self.users.values() if user.id not in moving}
        for member in members:
            if self.owner_id is None and self.heir is None:
                raise Refused(member, NO_OWNER)
            present = known.get(member.cloud_user_id)
            user = self._new(member, addresses) if present is None else self._changed(present, member, addresses)
            self.users[user.id] = user
            addresses[user.email.casefold()] = user.id

    def revoke(self, user: User, digest: str) -> None:
        """The user gets in by another station password from now on."""
        if user.station_password_hash != digest:
            self._revoked.add(user.id)
        self.users[user.id] = replace(user, station_password_hash=digest, synced_at=self.at)

    def crown(self) -> None:
        """The heir owns the station from now on; who did is an admin, unless the cloud told something less of them."""
        assert self.heir is not None
        heir, former = self.bearer(self.heir), self.users.get(self.owner_id or "")
        assert heir is not None
        if former is not None and former.id != heir.id and former.role is Role.OWNER:
            self.users[former.id] = replace(former, role=Role.ADMIN)
        self.users[heir.id] = replace(heir, role=Role.OWNER, disabled=False)
        self.owner_id = heir.id

    def outcome(self, *, station_name: str | None = None) -> Reconciliation:
        """What has changed since the beginning."""
        return Reconciliation(
            put=[user for user in self.users.values() if self._before.get(user.id) != user],
            removed=[user_id for user_id in self._before if user_id not in self.users],
            revoked=sorted(self._revoked & self._before.keys()),
            owner_id=self.owner_id if self.owner_id != self._owner_before else None,
            station_name=station_name,
        )

    def _new(self, member: Member, addresses: Mapping[str, str]) -> User:
        if member.email is None or member.role is None:
            raise Refused(member, INCOMPLETE)
        holder = addresses.get(member.email.casefold())
        if holder is not None:
            return self._linked(self.users[holder], member)
        user = User(
            id=self.mint(),
            email=member.email,
            name=member.email.partition("@")[0],
            role=member.role,
            created_at=self.at,
            cloud_user_id=member.cloud_user_id,
        )
        return self._told(user, member)

    def _changed(self, user: User, member: Member, addresses: Mapping[str, str]) -> User:
        holder = user.id if member.email is None else addresses.get(member.email.casefold(), user.id)
        if holder == user.id:
            return self._told(user, member)
        if user.linked or self.leads(user) or self.users[holder].cloud_user_id is not None:
            raise Refused(member, EMAIL_TAKEN)
        # Two that were two people to the station are one: who was here by themselves stays.
        untold = member.station_password_hash is UNTOLD
        digest = user.station_password_hash if untold else member.station_password_hash
        # Whoever leads stays, so an owner who comes here was one: they are an admin from now on.
        role = Role.ADMIN if user.role is Role.OWNER else user.role
        whole = replace(member, name=member.name or user.name, role=member.role or role, station_password_hash=digest)
        linked = self._linked(self.users[holder], whole)
        self.leave(user)
        return linked

    def _linked(self, local: User, member: Member) -> User:
        if local.cloud_user_id is not None:
            raise Refused(member, EMAIL_TAKEN)
        return self._told(replace(local, cloud_user_id=member.cloud_user_id, linked=True), member)

    def _told(self, user: User, member: Member) -> User:
        digest = member.station_password_hash
        if digest is UNTOLD:
            digest = user.station_password_hash
        elif user.station_password_hash not in {None, digest}:
            self._revoked.add(user.id)
        return replace(
            user,
            email=member.email or user.email,
            name=member.name or user.name,
            role=user.role if self.leads(user) or member.role is None else member.role,
            station_password_hash=digest,
            synced_at=self.at,
        )


def reconciled(
    begin: Callable[[str | None], Household], members: Sequence[Member], *, named: Collection[str], owner: str | None
) -> tuple[Household, Sequence[Refused]]:
    """
    The household of exactly these members, beside those who are purely local, and who of them was left out.

    *begin* makes it, with an heir, as it is before. *named*: all cloud users who are told of, also in a way that can't
    be: they don't go. *owner*: whose cloud user it is to be, if told of among the members.
    """
    refused: list[Refused] = []
    left = list(members)
    while True:
        household = begin(owner if any(member.cloud_user_id == owner for member in left) else None)
        try:
            _reconcile(household, left, named)
        except Refused as refusal:
            if refusal.why == NO_OWNER:  # true of all
                return begin(None), [*refused, *(Refused(member, NO_OWNER) for member in left)]
            refused.append(refusal)
            left = [member for member in left if member.cloud_user_id != refusal.member.cloud_user_id]
        else:
            return household, refused


def _reconcile(household: Household, members: Sequence[Member], named: Collection[str]) -> None:
    told = {None, *named}
    for user in [user for user in household.users.values() if user.cloud_user_id not in told]:
        if not household.leads(user):
            household.leave(user)
    household.take(members)
    if household.heir is not None:
        household.crown()


def _moves(member: Member, known: Mapping[str, User]) -> bool:
    """Whether somebody who is known gets another address."""
    return member.email is not None and member.email.casefold() != known[member.cloud_user_id].email.casefold()
