from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.audit.model import SYSTEM, Action, Deed, Subject, SubjectKind
from station_core.errors import Conflict, Malformed, NotFound, RateLimited
from station_core.identity.model import Invite, Role
from station_core.identity.newcomers import checked_email

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.audit.model import Actor
    from station_core.clock import Clock, Randomness
    from station_core.identity.authority import Authority
    from station_core.identity.ports import IdentityStore
    from station_core.identity.residents import Residents

INVITED_FOR: Final = timedelta(days=7)  # an invitation that nobody has followed by then is over
AGAIN_AFTER: Final = timedelta(minutes=1)  # before that, nobody is sent the same invitation again
OPEN_AT_ONCE: Final = 50


class Invites:
    """
    Who is asked to join the household: kept, with what the cloud is told of it, and listed until it's over.

    It's over when it's revoked, when its time is up, or when somebody of its address is here. The store first, with the
    deed of who wanted it (*by*), then memory.
    """

    def __init__(
        self,
        *,
        store: IdentityStore,
        residents: Residents,
        authority: Authority,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._residents = residents
        self._authority = authority
        self._clock = clock
        self._randomness = randomness

    def all(self) -> Sequence[Invite]:
        """Those that are open, by e-mail address."""
        return self._residents.invites()

    async def invite(self, *, email: str, role: Role, by: Actor = SYSTEM) -> Invite:
        """
        Ask somebody to join in a role; whoever is asked already is asked again, for the time from now on.

        Raise `Malformed` for no address, or for an owner: nobody is asked to be one. `Forbidden` when *by* may not make
        somebody that; `Conflict` for somebody who is here, or when too many are asked; `RateLimited` when they were
        asked less than a minute ago.
        """
        address = checked_email(email)
        if role is Role.OWNER:
            raise Malformed("Nobody is invited as owner: they are made one when they're here.")
        async with self._residents.one_at_a_time:
            deed = self._deed(by, Action.INVITE_ADD, Subject(kind=SubjectKind.INVITE, name=address), role)
            self._authority.check(deed, role)
            if self._residents.by_email(address) is not None:
                raise Conflict("Somebody has this e-mail address already.")
            invite = self._written(address, role, by)
            await self._store.invite(invite, deed=replace(deed, subject=_subject(invite)))
            self._residents.invited(invite)
        return invite

    async def revoke(self, invite_id: str, *, by: Actor = SYSTEM) -> None:
        """Ask somebody no more; raise `NotFound`, or `Forbidden` when *by* may not have asked them."""
        async with self._residents.one_at_a_time:
            invite = next((one for one in self.all() if one.id == invite_id), None)
            if invite is None:
                raise NotFound("There is no such invitation.")
            deed = self._deed(by, Action.INVITE_REVOKE, _subject(invite), invite.role)
            self._authority.check(deed, invite.role)
            await self._store.revoke_invite(invite.id, deed=deed)
            self._residents.uninvited(invite.id)

    def _written(self, address: str, role: Role, by: Actor) -> Invite:
        at = self._residents.time.now()
        open_ = self.all()
        before = next((one for one in open_ if one.email.casefold() == address.casefold()), None)
        if before is None and len(open_) >= OPEN_AT_ONCE:
            raise Conflict(f"There are {OPEN_AT_ONCE} open invitations already.")
        if before is not None and (left := before.sent_at + AGAIN_AFTER - at) > timedelta():
            raise RateLimited("They were invited a moment ago.", retry_after=left.total_seconds())
        return Invite(
            id=self._randomness.uuid() if before is None else before.id,
            email=address,
            role=role,
            invited_by=by.name or str(by.kind),
            created_at=at if before is None else before.created_at,
            sent_at=at,
            expires_at=at + INVITED_FOR,
        )

    def _deed(self, by: Actor, action: Action, subject: Subject, role: Role) -> Deed:
        return Deed(actor=by, action=action, subject=subject, at=self._clock.now(), detail={"role": role.value})


def _subject(invite: Invite) -> Subject:
    return Subject(kind=SubjectKind.INVITE, id=invite.id, name=invite.email)
