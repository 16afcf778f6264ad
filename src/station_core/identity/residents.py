from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.audit.model import ActorKind
from station_core.clock import SteadyTime
from station_core.errors import NotFound, StoreFull, StoreUnavailable, Unauthenticated
from station_core.identity.events import AccessChanged, Invited
from station_core.identity.policy import require_station_role
from station_core.identity.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from station_core.audit.model import Actor
    from station_core.clock import Clock
    from station_core.events import EventBus
    from station_core.identity.model import Invite, Role, Session, User
    from station_core.identity.ports import IdentityStore
    from station_core.identity.reconciling import Reconciliation

log = logging.getLogger("station.people")

LOOKED_AGAIN_AFTER: Final = 1.0  # seconds
SESSION_FOR: Final = timedelta(days=30)  # a session that isn't refreshed for so long ends
MOST_SESSIONS: Final = 100  # of one user: who logs in every minute instead of refreshing fills no memory


class Residents:
    """
    The people of the household and their sessions, in memory.

    What changes one is done `one_at_a_time`: the store first, then here, so that memory ends up as the store did; see
    `Turns` for when it doesn't tell how it did.
    Sessions are here too, so that an ended one is refused at once, also while the store is away.
    """

    def __init__(self, *, store: IdentityStore, bus: EventBus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._time = SteadyTime(clock)
        self._turns = Turns(self._load_again)
        self._users: dict[str, User] = {}
        self._sessions: dict[str, Session] = {}
        self._used_at: dict[str, datetime] = {}
        self._members: dict[str, Role] = {}
        self._invites: dict[str, Invite] = {}
        self.owner_id: str | None = None
        self.station_name = ""

    @property
    def one_at_a_time(self) -> AbstractAsyncContextManager[None]:
        """A turn, in which nobody else changes anybody; raise `StoreUnavailable` or `StoreFull` as `Turns` does."""
        return self._turns.turn()

    @property
    def time(self) -> SteadyTime:
        """
        The time by which sessions and invitations end.

        It begins anew while there is nobody whose it could be: a fresh box may have been told the time meanwhile.
        """
        if not self._users:
            self._time = SteadyTime(self._clock)
        return self._time

    async def load(self) -> None:
        """Take the store's users and sessions into memory."""
        async with self.one_at_a_time:
            await self._load()
            for session in self._sessions.values():
                self.time.is_past(session.expires_at - SESSION_FOR)  # its last refresh
            for user in self._users.values():
                self.time.is_past(user.synced_at or user.created_at)
            self.forget_expired()

    async def run(self) -> None:
        """Soon after memory came to be in doubt have it as the store has it; until cancelled."""
        while True:
            await self._turns.doubted()
            with suppress(StoreUnavailable, StoreFull):
                async with self.one_at_a_time:
                    log.debug("people loaded anew")
            await self._clock.sleep(LOOKED_AGAIN_AFTER)

    def all(self) -> Sequence[User]:
        """Everybody, by e-mail address."""
        return sorted(self._users.values(), key=lambda user: user.email.casefold())

    def user(self, user_id: str) -> User | None:
        """Who bears this id."""
        return self._users.get(user_id)

    def known(self, email: str) -> User:
        """Whose address this is, or raise `NotFound`."""
        found = self.by_email(email)
        if found is None:
            raise NotFound("There is no user of this e-mail address.")
        return found

    def by_email(self, email: str) -> User | None:
        """Whose address this is, in whatever case."""
        wanted = email.strip().casefold()
        return next((user for user in self._users.values() if user.email.casefold() == wanted), None)

    def named(self, who: str) -> User | None:
        """Whose address this is, or whose name, where it's one person's alone."""
        found = self.by_email(who)
        if found is None:
            wanted = who.strip().casefold()
            bearers = [user for user in self._users.values() if user.name.casefold() == wanted]
            found = bearers[0] if len(bearers) == 1 else None
        return found

    def put(self, user: User) -> None:
        """The store holds this user, as this, and in the same role as a member of the station."""
        before = self._users.get(user.id)
        self._users[user.id] = user
        self._members[user.id] = user.role
        if before is not None and before != user:
            self._changed(user.id)

    def gone(self, user_id: str) -> None:
        """The store holds this user no more, nor a session of theirs."""
        self._users.pop(user_id, None)
        self._members.pop(user_id, None)
        self.ended_all(user_id)

    def authority(self, actor: Actor) -> Role | None:
        """By which role what somebody wants is judged now; None for one who isn't judged. Raise `Unauthenticated`."""
        if actor.kind is not ActorKind.USER:
            return None
        user = self._users.get(actor.id or "")
        if user is None or user.disabled:
            raise Unauthenticated  # removed since they asked
        return user.role

    def invites(self) -> Sequence[Invite]:
        """Who is asked to join just now, by e-mail address: neither those who are here, nor whose time is up."""
        at = self.time.now()
        asked = [one for one in self._invites.values() if one.expires_at > at and self.by_email(one.email) is None]
        return sorted(asked, key=lambda invite: invite.email.casefold())

    def invited(self, invite: Invite) -> None:
        """The store holds this invitation, and none other of the address."""
        folded = invite.email.casefold()
        self._invites = {one.id: one for one in self._invites.values() if one.email.casefold() != folded}
        self._invites[invite.id] = invite
        self._bus.publish([Invited(invite_id=invite.id, timestamp=invite.sent_at)])

    def uninvited(self, invite_id: str) -> None:
        """The store holds this invitation no more."""
        self._invites.pop(invite_id, None)

    def reconciled(self, change: Reconciliation) -> None:
        """The store holds this household."""
        for user_id in change.removed:
            self.gone(user_id)
        for user in change.put:
            self.put(user)
        for user_id in change.revoked:
            self.ended_all(user_id)
        self.owner_id = change.owner_id or self.owner_id
        self.station_name = change.station_name or self.station_name

    def require_station_role(self, user_id: str, roles: Collection[Role]) -> Role:
        """The role in the station; raise `Forbidden` unless it's one of these."""
        return require_station_role(user_id, roles, owner_id=self.owner_id, members=self._members)

    def rehashed(self, user_id: str, password_hash: str) -> None:
        """The store holds another digest of the same password."""
        self._users[user_id] = replace(self._users[user_id], password_hash=password_hash)

    def session(self, session_id: str) -> Session | None:
        """The session of this id, unless it was ended."""
        return self._sessions.get(session_id)

    def goes_on(self, session: Session) -> None:
        """The store holds this session, as this."""
        self._sessions[session.id] = session

    def used(self, session_id: str, at: datetime) -> None:
        """Somebody has just shown a token of this session."""
        self._used_at[session_id] = at

    def seen(self, session: Session) -> Session:
        """The session with the hour of its last use, which the store knows only to the refresh."""
        return replace(session, used_at=max(session.used_at, self._used_at.get(session.id, session.used_at)))

    def surplus(self, user_id: str) -> Sequence[Session]:
        """Those of a user's sessions that have to end before one more begins: they weren't used for longest."""
        mine = sorted(map(self.seen, self.sessions_of(user_id)), key=lambda session: session.used_at)
        return mine[: max(0, len(mine) + 1 - MOST_SESSIONS)]

    def sessions_of(self, user_id: str) -> Sequence[Session]:
        """A user's own."""
        return [session for session in self._sessions.values() if session.user_id == user_id]

    def ended(self, session_id: str) -> None:
        """The store holds this session no more."""
        session = self._sessions.get(session_id)
        if session is not None:
            self._keep(lambda one: one.id != session_id)
            self._changed(session.user_id)

    def ended_all(self, user_id: str, *, but: str | None = None) -> None:
        """The store holds no session of this user any more, but that one."""
        self._keep(lambda session: session.user_id != user_id or session.id == but)
        self._changed(user_id)

    def forget_expired(self) -> None:
        """Sessions that are over."""
        at = self.time.now()
        self._keep(lambda session: session.expires_at > at)

    async def _load(self) -> None:
        people = await self._store.load()
        self._users = {user.id: user for user in people.users}
        self._sessions = {session.id: session for session in people.sessions}
        self._members = dict(people.members)
        self.owner_id = people.owner_id
        self._invites = {invite.id: invite for invite in people.invites}
        self.station_name = people.station_name

    async def _load_again(self) -> None:
        """What is found to be otherwise is told, for a session that isn't there any more has sockets."""
        users, sessions = self._users, self._sessions
        await self._load()
        self.forget_expired()
        changed = {
            user_id for user_id in users.keys() | self._users.keys() if users.get(user_id) != self._users.get(user_id)
        }
        changed |= {sessions[session_id].user_id for session_id in sessions.keys() - self._sessions.keys()}
        for user_id in sorted(changed):
            self._changed(user_id)

    def _keep(self, holds: Callable[[Session], bool]) -> None:
        self._sessions = {session.id: session for session in self._sessions.values() if holds(session)}
        self._used_at = {session_id: at for session_id, at in self._used_at.items() if session_id in self._sessions}

    def _changed(self, user_id: str) -> None:
        self._bus.publish([AccessChanged(user_id=user_id, timestamp=self.time.now())])
