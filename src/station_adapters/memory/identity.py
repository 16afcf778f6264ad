from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from station_adapters.memory.audit import Ledger
from station_core.errors import Conflict, NotFound, RegistrationClosed, Unauthenticated
from station_core.identity.ports import People, Rotation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from station_core.audit.model import Deed
    from station_core.errors import StationError
    from station_core.identity.model import Claims, Session, User

T = TypeVar("T")


@dataclass(slots=True)
class _Refresh:
    session_id: str
    used: bool = False


class MemoryIdentityStore:
    """An `IdentityStore` without a database; `trouble` is what every call raises while it is set."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self._users: dict[str, User] = {}
        self._sessions: dict[str, Session] = {}
        self._refreshes: dict[str, _Refresh] = {}
        self.owner_id: str | None = None
        self.trouble: StationError | None = None

    async def load(self) -> People:
        """See `IdentityStore`."""
        return await self._atomic(
            lambda: People(
                users=list(self._users.values()),
                sessions=list(self._sessions.values()),
                owner_id=self.owner_id,
                members={user.id: user.role for user in self._users.values()},
            )
        )

    async def found(self, owner: User, session: Session, refresh_digest: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def found() -> None:
            if self._users:
                raise RegistrationClosed
            self._users[owner.id] = owner
            self.owner_id = owner.id
            self._open(session, refresh_digest)

        await self._atomic(found, deed)

    async def open_session(self, session: Session, refresh_digest: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        await self._atomic(lambda: self._open(session, refresh_digest), deed)

    async def rotate(
        self, refresh_digest: str, fresh_digest: str, *, at: datetime, expires_at: datetime
    ) -> Rotation | None:
        """See `IdentityStore`."""

        def rotate() -> Rotation | None:
            refresh = self._refreshes.get(refresh_digest)
            session = None if refresh is None else self._sessions.get(refresh.session_id)
            if refresh is None or session is None or session.expires_at <= at:
                return None
            if refresh.used:
                self._close(session.id)
                return Rotation(session=session, ended=True)
            refresh.used = True
            session = self._sessions[session.id] = replace(session, expires_at=expires_at)
            self._refreshes[fresh_digest] = _Refresh(session.id)
            return Rotation(session=session, ended=False)

        return await self._atomic(rotate)

    async def close_session(self, session_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        await self._atomic(lambda: self._close(session_id), deed)

    async def set_password(self, user_id: str, password_hash: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def set_password() -> None:
            if user_id not in self._users:
                raise NotFound("There is no such user.")
            self._users[user_id] = replace(self._users[user_id], password_hash=password_hash)
            for session in [s for s in self._sessions.values() if s.user_id == user_id]:
                self._close(session.id)

        await self._atomic(set_password, deed)

    async def add(self, user: User, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def add() -> None:
            if any(other.email.casefold() == user.email.casefold() for other in self._users.values()):
                raise Conflict("Somebody has this e-mail address already.")
            self._users[user.id] = user

        await self._atomic(add, deed)

    async def disable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def disable() -> None:
            self._users[user_id] = replace(self._known(user_id), disabled=True)
            for session in [s for s in self._sessions.values() if s.user_id == user_id]:
                self._close(session.id)

        await self._atomic(disable, deed)

    async def enable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""

        def enable() -> None:
            self._users[user_id] = replace(self._known(user_id), disabled=False)

        await self._atomic(enable, deed)

    def _known(self, user_id: str) -> User:
        if user_id not in self._users:
            raise NotFound("There is no such user.")
        return self._users[user_id]

    async def _atomic(self, effect: Callable[[], T], deed: Deed | None = None) -> T:
        await asyncio.sleep(0)  # as in the device store
        if self.trouble is not None:
            raise self.trouble
        return self.ledger.with_deed(effect, deed)

    def _open(self, session: Session, refresh_digest: str) -> None:
        if session.user_id not in self._users:
            raise NotFound("There is no such user.")
        for over in [s for s in self._sessions.values() if s.expires_at <= session.created_at]:
            self._close(over.id)
        self._sessions[session.id] = session
        self._refreshes[refresh_digest] = _Refresh(session.id)

    def _close(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)
        self._refreshes = {d: r for d, r in self._refreshes.items() if r.session_id != session_id}


class MemoryPasswords:
    """A `PasswordHasher` that is quick, and as weak as that: for tests, never for a home."""

    async def hash(self, password: str) -> str:
        """See `PasswordHasher`."""
        await asyncio.sleep(0)  # as in the device store
        return "memory:" + hashlib.sha256(password.encode(errors="surrogatepass")).hexdigest()

    async def verify(self, password: str, digest: str | None) -> None:
        """See `PasswordHasher`."""
        if digest != await self.hash(password):
            raise Unauthenticated


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
