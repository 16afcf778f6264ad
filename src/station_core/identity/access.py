from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.audit.model import DONE, NOTHING, STRANGER, SYSTEM, Action, Deed, Subject, SubjectKind
from station_core.errors import RateLimited, RegistrationClosed, Unauthenticated, Unavailable
from station_core.identity.errors import SyncOverdue
from station_core.identity.model import Claims, Login, Principal, Role, Session
from station_core.identity.policy import check_confirmed, digests
from station_core.identity.refreshing import Opening, first_token, next_token, read_token
from station_core.identity.residents import SESSION_FOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.audit.model import Actor
    from station_core.audit.service import Audit
    from station_core.clock import Clock, Randomness
    from station_core.identity.attempts import Attempts
    from station_core.identity.model import User
    from station_core.identity.newcomers import Newcomers
    from station_core.identity.ports import AccessTokens, IdentityStore, PasswordHasher
    from station_core.identity.refreshing import RefreshToken
    from station_core.identity.residents import Residents
    from station_core.values import Value

ACCESS_FOR: Final = timedelta(minutes=15)  # docs/protocols.md §4
LABEL: Final = 200  # characters kept of what a device and its program are called
TOLD_EVERY: Final = 0.5  # seconds: a failed login is told at the next multiple, whatever work it was to check


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
        attempts: Attempts,
        audit: Audit,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._residents = residents
        self._newcomers = newcomers
        self._passwords = passwords
        self._tokens = tokens
        self._attempts = attempts
        self._audit = audit
        self._clock = clock
        self._randomness = randomness

    @property
    def registration_open(self) -> bool:
        """Whether the station still waits for its owner."""
        return not self._residents.all()

    async def register(
        self,
        *,
        email: str,
        password: str,
        name: str | None = None,
        device: str | None = None,
        user_agent: str | None = None,
        by: Actor | None = None,
    ) -> Login:
        """The first user, who becomes owner; of several at once one wins, else `RegistrationClosed`, or `Malformed`."""
        if not self.registration_open:
            raise RegistrationClosed
        owner = await self._newcomers.user(email=email, password=password, role=Role.OWNER, name=name)
        opening, refresh = self.opening(owner, device=device, user_agent=user_agent)
        deed = self._deed(by or owner.actor, Action.REGISTER, owner.subject)
        async with self._residents.one_at_a_time:
            await self._store.found(owner, opening, deed=deed)
            self._residents.put(owner)
            self._residents.owner_id = owner.id
            self._residents.goes_on(opening.session)
        return self.granted(owner, opening.session, refresh)

    async def login(
        self,
        *,
        email: str,
        password: str,
        device: str | None = None,
        user_agent: str | None = None,
        peer: str | None = None,
    ) -> Login:
        """
        A session for a password; *email* may be the name of a person that nobody else bears, *peer* is who calls.

        Raise `Unauthenticated` for an unknown or disabled user and a wrong password alike, `RateLimited` after too many
        of them (see `Attempts`); `SyncOverdue` for a right one that the cloud hasn't confirmed for too long.
        """
        user = whom = self._residents.named(email)
        while True:
            if user is not None and user.disabled:
                user = None
            known_by = await self._shown(user, password, account=email, peer=peer, whom=whom)
            assert user is not None  # as there
            better = await self._better(password, known_by) if known_by == user.password_hash else None
            async with self._residents.one_at_a_time:
                user = self._residents.user(user.id)
                if user is not None and not user.disabled and known_by in digests(user):
                    opening, refresh = self.opening(user, device=device, user_agent=user_agent)
                    await self._admit(user, opening, _from(peer), better)
                    return self.granted(user, opening.session, refresh)
            # Meanwhile the user was disabled, or the password reset, or its digest made better: it's judged anew.

    async def prove(self, user: User | None, password: str, *, account: str, peer: str | None) -> str:
        """Which of the user's digests it's the password of; raise as `login` does, for nobody too, and as late."""
        async with self._attempts.attempt(account, peer):
            began = self._clock.monotonic()
            try:
                return await self._matching(password, () if user is None else digests(user))
            except Unauthenticated:
                await self._clock.sleep((began - self._clock.monotonic()) % TOLD_EVERY)
                raise

    async def refresh(self, refresh_token: str) -> Login:
        """A fresh pair for a refresh token, which is used up; one used before ends its session: `Unauthenticated`."""
        used = read_token(refresh_token)
        fresh = next_token(self._randomness, used)
        at = self._residents.time.now()
        async with self._residents.one_at_a_time:
            rotation = await self._store.rotate(used.digests, fresh.digests.secret, at=at, expires_at=at + SESSION_FOR)
            if rotation is None:
                raise Unauthenticated
            if rotation.ended:
                self._residents.ended(rotation.session.id)
                self._audit.note(
                    self._deed(
                        STRANGER, Action.SESSION_END, self.subject_of(rotation.session), {"reason": "token_reused"}
                    )
                )
                raise Unauthenticated
            self._residents.goes_on(rotation.session)
        user = self._residents.user(rotation.session.user_id)
        if user is None:
            raise Unauthenticated
        return self.granted(user, rotation.session, fresh)

    async def log_out(self, session_id: str, *, action: Action | None = Action.LOGOUT) -> None:
        """End a session by its own user, recorded as this; again is no error."""
        async with self._residents.one_at_a_time:
            session = self._residents.session(session_id)
            user = None if session is None else self._residents.user(session.user_id)
            deed = None
            if session is not None and user is not None and action is not None:
                deed = self._deed(user.actor, action, self.subject_of(session))
            await self._store.close_session(session_id, deed=deed)
            self._residents.ended(session_id)

    async def log_out_by(self, refresh_token: str) -> None:
        """End the session that could go on by this token; where none can, what is asked for is so."""
        with contextlib.suppress(Unauthenticated):
            login = await self.refresh(refresh_token)
            await self.log_out(self.verify(login.access_token).session_id)

    def subject_of(self, session: Session) -> Subject:
        """A session as what something is done to."""
        user = self._residents.user(session.user_id)
        return Subject(kind=SubjectKind.SESSION, id=session.id, name=None if user is None else user.email)

    def verify(self, token: str) -> Principal:
        """Who bears this access token, or raise `Unauthenticated`; an ended session's tokens hold no more."""
        at = self._residents.time.now()
        claims = self._tokens.verify(token, at=at)
        session = self._residents.session(claims.session_id)
        user = self._residents.user(claims.user_id)
        if session is None or user is None or session.user_id != user.id or claims.role != user.role:
            raise Unauthenticated
        self._residents.used(session.id, at)
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

    def opening(self, user: User, *, device: str | None, user_agent: str | None) -> tuple[Opening, RefreshToken]:
        """A session that can be kept, and its first refresh token."""
        at = self._residents.time.now()
        refresh = first_token(self._randomness)
        session = Session(
            id=self._randomness.uuid(),
            user_id=user.id,
            created_at=at,
            used_at=at,
            expires_at=at + SESSION_FOR,
            device=_label(device),
            user_agent=_label(user_agent),
        )
        return Opening(session=session, refresh=refresh.digests), refresh

    def granted(self, user: User, session: Session, refresh: RefreshToken) -> Login:
        """What the person gets for a session that was kept."""
        at = self._residents.time.now()
        claims = Claims(
            user_id=user.id,
            role=user.role,
            session_id=session.id,
            token_id=self._randomness.uuid(),
            issued_at=at,
            expires_at=at + ACCESS_FOR,
        )
        return Login(user=user, access_token=self._tokens.issue(claims), refresh_token=refresh.text)

    def _deed(
        self,
        actor: Actor,
        action: Action,
        subject: Subject,
        detail: Mapping[str, Value] = NOTHING,
        *,
        result: str = DONE,
    ) -> Deed:
        return Deed(actor=actor, action=action, subject=subject, result=result, at=self._clock.now(), detail=detail)

    async def _shown(
        self, user: User | None, password: str, *, account: str, peer: str | None, whom: User | None
    ) -> str:
        """By which digest this user gets in; who doesn't is on record, *whom* they called themselves too."""
        try:
            known_by = await self.prove(user, password, account=account, peer=peer)
            assert user is not None  # nobody proves to be nobody
            check_confirmed(user, known_by, at=self._residents.time.now())
        except (Unauthenticated, RateLimited, SyncOverdue) as refusal:
            # Whom nobody knows isn't named: it may be a password that was typed into the wrong field.
            subject = Subject(kind=SubjectKind.USER) if whom is None else whom.subject
            actor = whom.actor if whom is not None and isinstance(refusal, SyncOverdue) else STRANGER
            self._audit.note(self._deed(actor, Action.LOGIN, subject, _from(peer), result=refusal.code))
            raise
        return known_by

    async def _matching(self, password: str, known: Sequence[str]) -> str:
        for digest in known:
            with contextlib.suppress(Unauthenticated):
                await self._passwords.verify(password, digest)
                return digest
        # The same work for everybody: also that of digests of a kind that others have.
        tried = {self._passwords.kind(digest) for digest in known}
        others = {self._passwords.kind(digest): digest for user in self._residents.all() for digest in digests(user)}
        for kind, other in {**others, self._passwords.kind(None): None}.items():
            if kind not in tried:
                with contextlib.suppress(Unauthenticated):
                    await self._passwords.verify(password, other)
        raise Unauthenticated

    async def _admit(self, user: User, opening: Opening, detail: Mapping[str, Value], better: str | None) -> None:
        self._residents.forget_expired()
        for session in self._residents.surplus(user.id):
            deed = self._deed(SYSTEM, Action.SESSION_END, self.subject_of(session), {"reason": "too_many"})
            await self._store.close_session(session.id, deed=deed)
            self._residents.ended(session.id)
        if better is not None:
            await self._store.rehash(user.id, better)
            self._residents.rehashed(user.id, better)
        deed = self._deed(user.actor, Action.LOGIN, user.subject, detail)
        await self._store.open_session(opening, deed=deed)
        self._residents.goes_on(opening.session)

    async def _better(self, password: str, digest: str) -> str | None:
        """A better digest of the password, where there is one; nobody stays outside for want of it."""
        if not self._passwords.needs_rehash(digest):
            return None
        try:
            return await self._passwords.hash(password)
        except (RateLimited, Unavailable):
            return None


def _from(peer: str | None) -> Mapping[str, Value]:
    return NOTHING if peer is None else {"peer": peer}


def _label(text: str | None) -> str | None:
    """What is shown of what something is called: nothing that can't be printed, and not too much."""
    return "".join(c for c in text or "" if c.isprintable()).strip()[:LABEL] or None
