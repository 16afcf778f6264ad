from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.errors import RegistrationClosed, Unauthenticated
from station_core.identity.model import Claims, Login, Principal, Role, Session
from station_core.identity.residents import SESSION_FOR

if TYPE_CHECKING:
    from station_core.clock import Randomness
    from station_core.identity.model import User
    from station_core.identity.newcomers import Newcomers
    from station_core.identity.ports import AccessTokens, IdentityStore, PasswordHasher
    from station_core.identity.residents import Residents

ACCESS_FOR: Final = timedelta(minutes=15)  # docs/protocols.md §4


class AccessService:
    """Who somebody is: register, log in, refresh, log out; store first, then memory (see `Residents`)."""

    def __init__(
        self,
        *,
        store: IdentityStore,
        residents: Residents,
        newcomers: Newcomers,
        passwords: PasswordHasher,
        tokens: AccessTokens,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._residents = residents
        self._newcomers = newcomers
        self._passwords = passwords
        self._tokens = tokens
        self._randomness = randomness

    @property
    def registration_open(self) -> bool:
        """Whether the station still waits for its owner."""
        return not self._residents.all()

    async def register(self, *, email: str, password: str, name: str | None = None) -> Login:
        """The first user, who becomes owner; of several at once one wins, else `RegistrationClosed`, or `Malformed`."""
        if not self.registration_open:
            raise RegistrationClosed
        owner = await self._newcomers.user(email=email, password=password, role=Role.OWNER, name=name)
        session, refresh = self._new_session(owner)
        await self._store.found(owner, session, digest(refresh))
        self._residents.put(owner)
        self._residents.owner_id = owner.id
        self._residents.goes_on(session)
        return self._login(owner, session, refresh)

    async def login(self, *, email: str, password: str) -> Login:
        """Raise `Unauthenticated` for an unknown or disabled user and a wrong password alike."""
        user = self._residents.by_email(email)
        if user is not None and user.disabled:
            user = None
        await self._passwords.verify(password, None if user is None else user.password_hash)
        if user is None:
            raise Unauthenticated
        session, refresh = self._new_session(user)
        async with self._residents.one_at_a_time:
            present = self._residents.user(user.id)
            if present is None or present.disabled or present.password_hash != user.password_hash:
                raise Unauthenticated  # the user was disabled, or the password reset, while this one was verified
            await self._store.open_session(session, digest(refresh))
            self._residents.forget_expired()
            self._residents.goes_on(session)
        return self._login(present, session, refresh)

    async def refresh(self, refresh_token: str) -> Login:
        """A fresh pair for a refresh token, which is used up; one used before ends its session: `Unauthenticated`."""
        fresh = self._randomness.token()
        at = self._residents.time.now()
        async with self._residents.one_at_a_time:
            rotation = await self._store.rotate(
                digest(refresh_token), digest(fresh), at=at, expires_at=at + SESSION_FOR
            )
            if rotation is None:
                raise Unauthenticated
            if rotation.ended:
                self._residents.ended(rotation.session.id)
                raise Unauthenticated
            self._residents.goes_on(rotation.session)
        user = self._residents.user(rotation.session.user_id)
        if user is None:
            raise Unauthenticated
        return self._login(user, rotation.session, fresh)

    async def log_out(self, session_id: str) -> None:
        """End a session; again is no error."""
        async with self._residents.one_at_a_time:
            await self._store.close_session(session_id)
            self._residents.ended(session_id)

    def verify(self, token: str) -> Principal:
        """Who bears this access token, or raise `Unauthenticated`; an ended session's tokens hold no more."""
        claims = self._tokens.verify(token, at=self._residents.time.now())
        session = self._residents.session(claims.session_id)
        user = self._residents.user(claims.user_id)
        if session is None or user is None or session.user_id != user.id or claims.role != user.role:
            raise Unauthenticated
        return Principal(user=user, session_id=session.id)

    def holds(self, principal: Principal) -> bool:
        """Whether the session of somebody who was verified goes on, in the same role: for links that stay open."""
        session = self._residents.session(principal.session_id)
        user = self._residents.user(principal.user.id)
        return (
            session is not None
            and user is not None
            and user.role is principal.user.role
            and session.expires_at > self._residents.time.now()
        )

    def _new_session(self, user: User) -> tuple[Session, str]:
        at = self._residents.time.now()
        session = Session(id=self._randomness.uuid(), user_id=user.id, created_at=at, expires_at=at + SESSION_FOR)
        return session, self._randomness.token()

    def _login(self, user: User, session: Session, refresh: str) -> Login:
        at = self._residents.time.now()
        claims = Claims(
            user_id=user.id,
            role=user.role,
            session_id=session.id,
            token_id=self._randomness.uuid(),
            issued_at=at,
            expires_at=at + ACCESS_FOR,
        )
        return Login(user=user, access_token=self._tokens.issue(claims), refresh_token=refresh)


def digest(token: str) -> str:
    """SHA-256 of a random refresh token, lower-case hex."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
