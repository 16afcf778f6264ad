from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from station_core.audit.model import Deed
    from station_core.identity.model import Claims, Invite, Role, Session, User
    from station_core.identity.reconciling import Reconciliation
    from station_core.identity.refreshing import Digests, Opening


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """
    All users, the sessions that haven't ended, the station's name and owner, and each member's role in it by user id;
    and who is asked to join.
    """

    users: Sequence[User]
    sessions: Sequence[Session]
    owner_id: str | None = None
    members: Mapping[str, Role] = field(default_factory=dict)
    invites: Sequence[Invite] = ()
    station_name: str = "Station"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What became of a refresh token: its session goes on, or, when the token had been used before, has *ended*."""

    session: Session
    ended: bool


class IdentityStore(Protocol):
    """
    The durable side of who people are.

    Every method is atomic: after it returns, its effect survives a power cut; when it raises, or is cancelled before
    its effect is certain, nothing of it is visible. All raise `StoreUnavailable` when the store can't answer and
    `StoreFull` when the disk is full. Refresh tokens come as digests only. Sessions that are over may be forgotten.
    What somebody does comes with their *deed*, which is kept or not kept together with it.
    """

    async def load(self) -> People:
        """Everybody, every session, and who is what in the station."""
        ...

    async def found(self, owner: User, opening: Opening, *, deed: Deed | None = None) -> None:
        """Keep the first user, as the station's owner, with a session; raise `RegistrationClosed` when there is one."""
        ...

    async def open_session(self, opening: Opening, *, deed: Deed | None = None) -> None:
        """Keep a session and its first refresh token; raise `NotFound` when the user is gone."""
        ...

    async def rotate(self, refresh: Digests, fresh: str, *, at: datetime, expires_at: datetime) -> Rotation | None:
        """
        Use a refresh token up and keep a fresh secret in its place; the session was used *at* and ends at *expires_at*.

        A token of the session's that isn't its present one, and so was used before, ends it for good. None: a token of
        no session, or of one that ended before *at*.
        """
        ...

    async def close_session(self, session_id: str, *, deed: Deed | None = None) -> None:
        """End a session; again is no error."""
        ...

    async def close_sessions(self, user_id: str, *, but: str, deed: Deed | None = None) -> None:
        """End all sessions of a user but this one; of nobody is no error."""
        ...

    async def set_password(
        self, user_id: str, password_hash: str, *, then: Opening | None = None, deed: Deed | None = None
    ) -> None:
        """Keep a new password, end all the user's sessions, and open one; raise `NotFound`."""
        ...

    async def rehash(self, user_id: str, password_hash: str) -> None:
        """Keep another digest of the same password: the sessions go on; raise `NotFound`."""
        ...

    async def add(self, user: User, *, deed: Deed | None = None) -> None:
        """Keep one more user, a member of the station; raise `Conflict` when somebody has the e-mail address."""
        ...

    async def set_role(self, user_id: str, role: Role, *, deed: Deed | None = None) -> str | None:
        """
        Make a user something else, also as a member of the station, and end all their sessions; return who owns it.

        When the station's owner becomes something else, the owner who has been here longest takes their place. Raise
        `NotFound`, or `Conflict` when no owner who isn't disabled would be left.
        """
        ...

    async def remove(self, user_id: str, *, deed: Deed | None = None) -> str | None:
        """Forget a user, their sessions and their membership; return who owns the station; raise as `set_role`."""
        ...

    async def invite(self, invite: Invite, *, deed: Deed | None = None) -> None:
        """
        Keep that somebody is asked to join, in place of what was kept for the address; what is over by then is gone.

        While a cloud has claimed the station it's told so, with the invitation (see `Outbox`); whoever claims it hears
        of all who aren't here and whose time isn't up.

        Raise `Conflict` when somebody has the e-mail address.
        """
        ...

    async def revoke_invite(self, invite_id: str, *, deed: Deed | None = None) -> None:
        """They are asked no more, and what the cloud hasn't heard of it, it won't; raise `NotFound`."""
        ...

    async def disable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """Keep that a user is disabled and end all their sessions; again is no error; raise `NotFound`."""
        ...

    async def enable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """Keep that a user isn't disabled; again is no error; raise `NotFound`."""
        ...

    async def reconcile(self, change: Reconciliation, *, deed: Deed | None = None) -> None:
        """Keep what the cloud makes of the household, as one; addresses may change hands within it."""
        ...


class PasswordHasher(Protocol):
    """
    Slow, salted digests of passwords; never blocks the loop; raises `RateLimited` when too many wait already.

    Those that came from the cloud are verified too: bcrypt of cost 4 to 14, the password cut to 72 bytes.
    """

    async def hash(self, password: str) -> str:
        """The digest to keep."""
        ...

    async def verify(self, password: str, digest: str | None) -> None:
        """Raise `Unauthenticated` unless it's the password; None (no such user) takes as long as a wrong password."""
        ...

    def kind(self, digest: str | None) -> str:
        """By what it's verified: digests of one kind take the same time; None is nobody's."""
        ...

    def needs_rehash(self, digest: str) -> bool:
        """Whether `hash` would make a better digest of the same password: another kind, or other costs."""
        ...


class AccessTokens(Protocol):
    """Short-lived tokens that prove their claims by themselves."""

    def issue(self, claims: Claims) -> str:
        """A signed token."""
        ...

    def verify(self, token: str, *, at: datetime) -> Claims:
        """The claims of a token that we signed and that holds at *at*; raise `Unauthenticated`."""
        ...
