from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.clock import SteadyTime
from station_core.errors import Conflict, Malformed, NotFound, RegistrationClosed, Unauthenticated
from station_core.identity.model import Claims, Login, Principal, Role, Session, User
from station_core.values import text_weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.clock import Clock, Randomness
    from station_core.identity.ports import AccessTokens, IdentityStore, PasswordHasher

ACCESS_FOR: Final = timedelta(minutes=15)  # docs/protocols.md §4
SESSION_FOR: Final = timedelta(days=30)  # a session that isn't refreshed for so long ends
PASSWORD_LENGTH: Final = range(
    8, 1_025
)  # characters; NIST SP 800-63B asks for at least 8, the bound keeps hashing cheap


class AccessService:
    """
    Who people are: register, log in, refresh, log out; store first, then memory.

    What changes a session is done one at a time: memory must end up as the store did. Sessions live in memory too, so
    that an ended one is refused at once, also while the store is away.
    """

    def __init__(
        self,
        *,
        store: IdentityStore,
        passwords: PasswordHasher,
        tokens: AccessTokens,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._tokens = tokens
        self._clock = clock
        self._time = SteadyTime(clock)
        self._randomness = randomness
        self._users: dict[str, User] = {}
        self._sessions: dict[str, Session] = {}
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Take the store's users and sessions into memory."""
        async with self._one_at_a_time:
            people = await self._store.load()
            self._users = {user.id: user for user in people.users}
            self._sessions = {session.id: session for session in people.sessions}
            for session in people.sessions:
                self._time.is_past(session.expires_at - SESSION_FOR)  # its last refresh
            self._forget_expired()

    @property
    def registration_open(self) -> bool:
        """Whether the station still waits for its owner."""
        return not self._users

    def users(self) -> Sequence[User]:
        """Everybody, by e-mail address."""
        return sorted(self._users.values(), key=lambda user: user.email.casefold())

    def user(self, email: str) -> User:
        """Whose address this is, or raise `NotFound`."""
        found = self._by_email(email)
        if found is None:
            raise NotFound("There is no user of this e-mail address.")
        return found

    async def register(self, *, email: str, password: str, name: str | None = None) -> Login:
        """The first user, who becomes owner; of several at once one wins, else `RegistrationClosed`, or `Malformed`."""
        if not self.registration_open:
            raise RegistrationClosed
        owner = await self._newcomer(email=email, password=password, role=Role.OWNER, name=name)
        session, refresh = self._new_session(owner)
        await self._store.found(owner, session, digest(refresh))
        self._users[owner.id] = owner
        self._sessions[session.id] = session
        return self._login(owner, session, refresh)

    async def login(self, *, email: str, password: str) -> Login:
        """Raise `Unauthenticated` for an unknown or disabled user and a wrong password alike."""
        user = self._by_email(email)
        if user is not None and user.disabled:
            user = None
        await self._passwords.verify(password, None if user is None else user.password_hash)
        if user is None:
            raise Unauthenticated
        session, refresh = self._new_session(user)
        async with self._one_at_a_time:
            present = self._users.get(user.id)
            if present is None or present.disabled or present.password_hash != user.password_hash:
                raise Unauthenticated  # the user was disabled, or the password reset, while this one was verified
            await self._store.open_session(session, digest(refresh))
            self._forget_expired()
            self._sessions[session.id] = session
        return self._login(present, session, refresh)

    async def refresh(self, refresh_token: str) -> Login:
        """A fresh pair for a refresh token, which is used up; one used before ends its session: `Unauthenticated`."""
        fresh = self._randomness.token()
        at = self._time.now()
        async with self._one_at_a_time:
            rotation = await self._store.rotate(
                digest(refresh_token), digest(fresh), at=at, expires_at=at + SESSION_FOR
            )
            if rotation is None:
                raise Unauthenticated
            if rotation.ended:
                self._sessions.pop(rotation.session.id, None)
                raise Unauthenticated
            self._sessions[rotation.session.id] = rotation.session
        user = self._users.get(rotation.session.user_id)
        if user is None:
            raise Unauthenticated
        return self._login(user, rotation.session, fresh)

    async def log_out(self, session_id: str) -> None:
        """End a session; again is no error."""
        async with self._one_at_a_time:
            await self._store.close_session(session_id)
            self._sessions.pop(session_id, None)

    async def reset_password(self, *, email: str, password: str) -> None:
        """Give a user a new password and end all their sessions; raise `Unauthenticated` for an unknown e-mail."""
        check_password(password)
        user = self._by_email(email)
        if user is None:
            raise Unauthenticated("There is no user of this e-mail address.")
        hashed = await self._passwords.hash(password)
        async with self._one_at_a_time:
            await self._store.set_password(user.id, hashed)
            self._users[user.id] = replace(self._users[user.id], password_hash=hashed)
            self._sessions = {s.id: s for s in self._sessions.values() if s.user_id != user.id}

    async def add(self, *, email: str, password: str, role: Role, name: str | None = None) -> User:
        """One more user; raise `Conflict` for an address that is taken or a first who is no owner, or `Malformed`."""
        if self.registration_open:
            if role is not Role.OWNER:
                raise Conflict("The station has no owner yet: the first user has to be one.")
            login = await self.register(email=email, password=password, name=name)
            await self.log_out(self.verify(login.access_token).session_id)
            return login.user
        user = await self._newcomer(email=email, password=password, role=role, name=name)
        async with self._one_at_a_time:
            await self._store.add(user)
            self._users[user.id] = user
        return user

    async def disable(self, email: str) -> User:
        """Keep a user out and end all their sessions; raise `NotFound`, or `Conflict` for the last owner."""
        async with self._one_at_a_time:
            user = self.user(email)
            others = [one for one in self._users.values() if one.id != user.id and not one.disabled]
            if user.role is Role.OWNER and not any(one.role is Role.OWNER for one in others):
                raise Conflict("The last owner can't be disabled.")
            await self._store.disable(user.id)
            self._users[user.id] = replace(user, disabled=True)
            self._sessions = {s.id: s for s in self._sessions.values() if s.user_id != user.id}
            return self._users[user.id]

    async def enable(self, email: str) -> User:
        """Let a user in again; raise `NotFound`."""
        async with self._one_at_a_time:
            user = self.user(email)
            await self._store.enable(user.id)
            self._users[user.id] = replace(user, disabled=False)
            return self._users[user.id]

    def verify(self, token: str) -> Principal:
        """Who bears this access token, or raise `Unauthenticated`; an ended session's tokens hold no more."""
        claims = self._tokens.verify(token, at=self._time.now())
        session = self._sessions.get(claims.session_id)
        user = self._users.get(claims.user_id)
        if session is None or user is None or session.user_id != user.id or claims.role != user.role:
            raise Unauthenticated
        return Principal(user=user, session_id=session.id)

    def holds(self, principal: Principal) -> bool:
        """Whether the session of somebody who was verified goes on, in the same role: for links that stay open."""
        session = self._sessions.get(principal.session_id)
        user = self._users.get(principal.user.id)
        return (
            session is not None
            and user is not None
            and user.role is principal.user.role
            and session.expires_at > self._time.now()
        )

    async def _newcomer(self, *, email: str, password: str, role: Role, name: str | None) -> User:
        address = checked_email(email)
        display_name = (name or "").strip() or address.partition("@")[0]
        text_weight(display_name)
        check_password(password)
        return User(
            id=self._randomness.uuid(),
            email=address,
            name=display_name,
            role=role,
            created_at=self._clock.now(),
            password_hash=await self._passwords.hash(password),
        )

    def _by_email(self, email: str) -> User | None:
        wanted = email.strip().casefold()
        return next((user for user in self._users.values() if user.email.casefold() == wanted), None)

    def _forget_expired(self) -> None:
        at = self._time.now()
        self._sessions = {s.id: s for s in self._sessions.values() if s.expires_at > at}

    def _new_session(self, user: User) -> tuple[Session, str]:
        at = self._time.now()
        session = Session(id=self._randomness.uuid(), user_id=user.id, created_at=at, expires_at=at + SESSION_FOR)
        return session, self._randomness.token()

    def _login(self, user: User, session: Session, refresh: str) -> Login:
        at = self._time.now()
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


def checked_email(email: str) -> str:
    """An address with one @ and something on both sides, at most 254 characters (RFC 5321 §4.5.3.1), or `Malformed`."""
    text_weight(email)
    stripped = email.strip()
    local, at, domain = stripped.rpartition("@")
    if not (local and at and domain) or len(stripped) > 254 or any(c.isspace() for c in stripped):  # RFC
        raise Malformed("This is no e-mail address.")
    return stripped


def check_password(password: str) -> None:
    """Raise `Malformed` for a password that is too short or too long to be a new one, or no proper text."""
    text_weight(password)
    if len(password) not in PASSWORD_LENGTH:
        raise Malformed("A password has 8 to 1024 characters.")
