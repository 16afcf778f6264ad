from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from station_core.clock import SteadyTime
from station_core.errors import NotFound
from station_core.identity.policy import require_station_role

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from station_core.clock import Clock
    from station_core.identity.model import Role, Session, User
    from station_core.identity.ports import IdentityStore

SESSION_FOR: Final = timedelta(days=30)  # a session that isn't refreshed for so long ends


class Residents:
    """
    The people of the household and their sessions, in memory.

    What changes one is done `one_at_a_time`: the store first, then here, so that memory ends up as the store did.
    Sessions are here too, so that an ended one is refused at once, also while the store is away.
    """

    def __init__(self, *, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self.time = SteadyTime(clock)
        self.one_at_a_time = asyncio.Lock()
        self._users: dict[str, User] = {}
        self._sessions: dict[str, Session] = {}
        self._members: dict[str, Role] = {}
        self.owner_id: str | None = None

    async def load(self) -> None:
        """Take the store's users and sessions into memory."""
        async with self.one_at_a_time:
            people = await self._store.load()
            self._users = {user.id: user for user in people.users}
            self._sessions = {session.id: session for session in people.sessions}
            self._members = dict(people.members)
            self.owner_id = people.owner_id
            for session in people.sessions:
                self.time.is_past(session.expires_at - SESSION_FOR)  # its last refresh
            self.forget_expired()

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

    def put(self, user: User) -> None:
        """The store holds this user, as this, and in the same role as a member of the station."""
        self._users[user.id] = user
        self._members[user.id] = user.role

    def require_station_role(self, user_id: str, roles: Collection[Role]) -> Role:
        """The role in the station; raise `Forbidden` unless it's one of these."""
        return require_station_role(user_id, roles, owner_id=self.owner_id, members=self._members)

    def session(self, session_id: str) -> Session | None:
        """The session of this id, unless it was ended."""
        return self._sessions.get(session_id)

    def sessions(self) -> Sequence[Session]:
        """All that weren't ended."""
        return list(self._sessions.values())

    def goes_on(self, session: Session) -> None:
        """The store holds this session, as this."""
        self._sessions[session.id] = session

    def ended(self, session_id: str) -> None:
        """The store holds this session no more."""
        self._sessions.pop(session_id, None)

    def ended_all(self, user_id: str) -> None:
        """The store holds no session of this user any more."""
        self._sessions = {s.id: s for s in self._sessions.values() if s.user_id != user_id}

    def forget_expired(self) -> None:
        """Sessions that are over."""
        at = self.time.now()
        self._sessions = {s.id: s for s in self._sessions.values() if s.expires_at > at}
