from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from station_adapters.memory.audit import Ledger
from station_adapters.memory.digests import cloud_digest
from station_adapters.memory.outbox import MemoryOutbox
from station_core.cloud.letters import invite_letter, invite_letter_id
from station_core.errors import Conflict, NotFound, RegistrationClosed, Unauthenticated
from station_core.identity.model import Role
from station_core.identity.ports import People, Rotation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from station_core.audit.model import Deed
    from station_core.cloud.letters import Letter
    from station_core.errors import StationError
    from station_core.identity.model import Claims, Invite, Session, User
    from station_core.identity.reconciling import Reconciliation
    from station_core.identity.refreshing import Digests, Opening

T = TypeVar("T")


class MemoryIdentityStore:
    """An `IdentityStore` without a database; `trouble` is what every call raises while it is set."""

    def __init__(self, ledger: Ledger | None = None, outbox: MemoryOutbox | None = None) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self._outbox = MemoryOutbox() if outbox is None else outbox
        self._outbox.at_first = self._invitations
        self._users: dict[str, User] = {}
        self._invites: dict[str, Invite] = {}
        self._sessions: dict[str, Session] = {}
        self._refreshes: dict[str, Digests] = {}
        self.owner_id: str | None = None
        self.station_name = "Station"
        self.trouble: StationError | None = None

    async def load(self) -> People:
        """See `IdentityStore`."""
        return await self._atomic(
            lambda: People(
                users=list(self._users.values()),
                sessions=list(self._sessions.values()),
                owner_id=self.owner_id,
                invites=list(self._invites.values()),
                members={user.id: user.role for user in self._users.values()},
                station_name=self.station_name,
            )
        )

    async def found(self, owner: User, opening: Opening, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def found() -> None:
            if self._users:
                raise RegistrationClosed
            self._users[owner.id] = owner
            self.owner_id = owner.id
            self._open(opening)

        await self._atomic(found, deed)

    async def open_session(self, opening: Opening, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        await self._atomic(lambda: self._open(opening), deed)

    async def rotate(self, refresh: Digests, fresh: str, *, at: datetime, expires_at: datetime) -> Rotation | None:
        """See `IdentityStore`."""

        def rotate() -> Rotation | None:
            family = (s for s in self._sessions.values() if self._refreshes[s.id].family == refresh.family)
            session = next(family, None)
            if session is None or session.expires_at <= at:
                return None
            if self._refreshes[session.id] != refresh:
                self._close(session.id)
                return Rotation(session=session, ended=True)
            session = self._sessions[session.id] = replace(session, used_at=at, expires_at=expires_at)
            self._refreshes[session.id] = replace(refresh, secret=fresh)
            return Rotation(session=session, ended=False)

        return await self._atomic(rotate)

    async def close_session(self, session_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        await self._atomic(lambda: self._close(session_id), deed)

    async def close_sessions(self, user_id: str, *, but: str, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        await self._atomic(lambda: self._close_all(user_id, but), deed)

    async def set_password(
        self, user_id: str, password_hash: str, *, then: Opening | None = None, deed: Deed | None = None
    ) -> None:
        """See `IdentityStore`."""

        def set_password() -> None:
            self._users[user_id] = replace(self._known(user_id), password_hash=password_hash)
            self._close_all(user_id)
            if then is not None:
                self._open(then)

        await self._atomic(set_password, deed)

    async def rehash(self, user_id: str, password_hash: str) -> None:
        """See `IdentityStore`."""
        await self._atomic(lambda: self._become(user_id, password_hash=password_hash))

    async def add(self, user: User, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def add() -> None:
            if any(other.email.casefold() == user.email.casefold() for other in self._users.values()):
                raise Conflict("Somebody has this e-mail address already.")
            self._users[user.id] = user
            self._forget_invites(lambda invite: invite.email.casefold() == user.email.casefold())

        await self._atomic(add, deed)

    async def set_role(self, user_id: str, role: Role, *, deed: Deed | None = None) -> str | None:
        """See `IdentityStore`."""

        def set_role() -> str | None:
            user = self._known(user_id)
            if role is not Role.OWNER:
                self._leave_an_owner(user)
            self._users[user_id] = replace(user, role=role)
            self._close_all(user_id)
            return self.owner_id

        return await self._atomic(set_role, deed)

    async def remove(self, user_id: str, *, deed: Deed | None = None) -> str | None:
        """See `IdentityStore`."""

        def remove() -> str | None:
            self._leave_an_owner(self._known(user_id))
            del self._users[user_id]
            self._close_all(user_id)
            return self.owner_id

        return await self._atomic(remove, deed)

    async def invite(self, invite: Invite, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        folded = invite.email.casefold()

        def keep() -> None:
            if any(user.email.casefold() == folded for user in self._users.values()):
                raise Conflict("Somebody has this e-mail address already.")
            for former in [one for one in self._invites.values() if one.email.casefold() == folded]:
                self._outbox.withdraw(invite_letter_id(former))
            self._forget_invites(lambda one: one.email.casefold() == folded or one.expires_at <= invite.sent_at)
            self._invites[invite.id] = invite
            self._outbox.post_if_claimed(invite_letter(invite), invite_letter_id(invite))

        await self._atomic(keep, deed)

    async def revoke_invite(self, invite_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def revoke() -> None:
            former = self._invites.pop(invite_id, None)
            if former is None:
                raise NotFound("There is no such invitation.")
            self._outbox.withdraw(invite_letter_id(former))

        await self._atomic(revoke, deed)

    async def disable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def disable() -> None:
            self._users[user_id] = replace(self._known(user_id), disabled=True)
            self._close_all(user_id)

        await self._atomic(disable, deed)

    async def enable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        await self._atomic(lambda: self._become(user_id, disabled=False), deed)

    async def reconcile(self, change: Reconciliation, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def reconcile() -> None:
            self._users |= {user.id: user for user in change.put}
            here = {user.email.casefold() for user in change.put}
            self._forget_invites(lambda invite: invite.email.casefold() in here)
            self.owner_id = change.owner_id or self.owner_id
            self.station_name = change.station_name or self.station_name
            for user_id in change.removed:
                self._users.pop(user_id, None)
            for user_id in (*change.revoked, *change.removed):
                self._close_all(user_id)

        await self._atomic(reconcile, deed)

    def _become(self, user_id: str, **changes: Any) -> None:
        self._users[user_id] = replace(self._known(user_id), **changes)

    def _known(self, user_id: str) -> User:
        if user_id not in self._users:
            raise NotFound("There is no such user.")
        return self._users[user_id]

    def _leave_an_owner(self, user: User) -> None:
        if user.role is not Role.OWNER:
            return
        others = [
            one for one in self._users.values() if one.role is Role.OWNER and one.id != user.id and not one.disabled
        ]
        if not others:
            raise Conflict("The last owner can't be removed or made anything else.")
        if self.owner_id == user.id:
            self.owner_id = min(others, key=lambda one: (one.created_at, one.id)).id

    def _invitations(self, at: datetime) -> Iterable[tuple[Letter, str]]:
        here = {user.email.casefold() for user in self._users.values()}
        asked = [one for one in self._invites.values() if one.expires_at > at and one.email.casefold() not in here]
        return [(invite_letter(invite), invite_letter_id(invite)) for invite in asked]

    def _forget_invites(self, over: Callable[[Invite], bool]) -> None:
        self._invites = {invite.id: invite for invite in self._invites.values() if not over(invite)}

    async def _atomic(self, effect: Callable[[], T], deed: Deed | None = None) -> T:
        await asyncio.sleep(0)  # as in the device store
        if self.trouble is not None:
            raise self.trouble
        return self.ledger.with_deed(effect, deed)

    def _open(self, opening: Opening) -> None:
        session = opening.session
        if session.user_id not in self._users:
            raise NotFound("There is no such user.")
        for over in [s for s in self._sessions.values() if s.expires_at <= session.created_at]:
            self._close(over.id)
        self._sessions[session.id] = session
        self._refreshes[session.id] = opening.refresh

    def _close(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)
        self._refreshes.pop(session_id, None)

    def _close_all(self, user_id: str, but: str | None = None) -> None:
        for session in [s for s in self._sessions.values() if s.user_id == user_id and s.id != but]:
            self._close(session.id)


class MemoryPasswords:
    """A `PasswordHasher` that is quick, and as weak as that, and knows no digests but its own: for tests alone."""

    async def hash(self, password: str) -> str:
        """See `PasswordHasher`."""
        await asyncio.sleep(0)  # as in the device store
        return "memory:" + hashlib.sha256(password.encode(errors="surrogatepass")).hexdigest()

    async def verify(self, password: str, digest: str | None) -> None:
        """See `PasswordHasher`."""
        known = {await self.hash(password), cloud_digest(password)}
        if digest is None or digest.removeprefix("weak ") not in known:
            raise Unauthenticated

    def kind(self, digest: str | None) -> str:
        """See `PasswordHasher`."""
        return "weak" if digest is not None and self.needs_rehash(digest) else "memory"

    def needs_rehash(self, digest: str) -> bool:
        """See `PasswordHasher`; a digest after `weak ` does."""
        return digest.startswith("weak ")


class MemoryTokens:
    """`AccessTokens` that are looked up instead of being signed."""

    def __init__(self) -> None:
        self._issued: dict[str, Claims] = {}

    def issue(self, claims: Claims) -> str:
        """See `AccessTokens`."""
        self._issued = {t: known for t, known in self._issued.items() if known.expires_at > claims.issued_at}
        token = f"memory.{claims.token_id}"
        self._issued[token] = claims
        return token

    def verify(self, token: str, *, at: datetime) -> Claims:
        """See `AccessTokens`."""
        claims = self._issued.get(token)
        if claims is None or claims.expires_at <= at:
            raise Unauthenticated
        return claims
