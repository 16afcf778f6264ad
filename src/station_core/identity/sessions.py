from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.audit.model import NOTHING, Action, Deed
from station_core.errors import Forbidden, NotFound, Unauthenticated
from station_core.identity.newcomers import check_password

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.audit.service import Audit
    from station_core.clock import Clock
    from station_core.identity.access import AccessService
    from station_core.identity.model import Login, Principal, Session, User
    from station_core.identity.ports import IdentityStore, PasswordHasher
    from station_core.identity.residents import Residents
    from station_core.values import Value


class Sessions:
    """What people see and do of their own sessions; those of others aren't there for them."""

    def __init__(
        self,
        *,
        store: IdentityStore,
        residents: Residents,
        access: AccessService,
        passwords: PasswordHasher,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._store = store
        self._residents = residents
        self._access = access
        self._passwords = passwords
        self._audit = audit
        self._clock = clock

    def of(self, principal: Principal) -> Sequence[Session]:
        """One's own, the last used first."""
        mine = [self._residents.seen(session) for session in self._residents.sessions_of(principal.user.id)]
        return sorted(mine, key=lambda session: session.used_at, reverse=True)

    async def end(self, principal: Principal, session_id: str) -> None:
        """End one of one's own, be it the present one; raise `NotFound`."""
        if session_id not in {session.id for session in self.of(principal)}:
            raise NotFound("There is no such session.")
        await self._access.log_out(session_id, action=Action.SESSION_END)

    async def end_others(self, principal: Principal) -> None:
        """End all of one's own but the present one."""
        async with self._residents.one_at_a_time:
            deed = self._deed(principal.user, Action.SESSION_END, {"which": "others"})
            await self._store.close_sessions(principal.user.id, but=principal.session_id, deed=deed)
            self._residents.ended_all(principal.user.id, but=principal.session_id)

    async def change_password(self, principal: Principal, *, old: str, new: str, peer: str | None = None) -> Login:
        """
        Take a new password in place of the old one; all sessions end, and a fresh one takes the place of the present.

        Raise `Malformed` for one that can't be a password, `Forbidden` when the old one is wrong, which counts as a
        failed login, `RateLimited` after too many, `Unauthenticated` when the session ended meanwhile.
        """
        check_password(new)
        try:
            known_by = await self._access.prove(principal.user, old, account=principal.user.email, peer=peer)
        except Unauthenticated:
            refusal = Forbidden("The old password is wrong.")
            self._audit.note(replace(self._deed(principal.user, Action.PASSWORD_CHANGE), result=refusal.code))
            raise refusal from None
        if known_by != principal.user.password_hash:
            raise Forbidden("This password is the cloud's: it's changed there.")
        hashed = await self._passwords.hash(new)
        async with self._residents.one_at_a_time:
            present = self._residents.user(principal.user.id)
            session = self._residents.session(principal.session_id)
            if present is None or session is None or known_by != present.password_hash:
                raise Unauthenticated
            opening, refresh = self._access.opening(present, device=session.device, user_agent=session.user_agent)
            deed = self._deed(present, Action.PASSWORD_CHANGE)
            await self._store.set_password(present.id, hashed, then=opening, deed=deed)
            changed = replace(present, password_hash=hashed)
            self._residents.put(changed)
            self._residents.ended_all(changed.id)
            self._residents.goes_on(opening.session)
        return self._access.granted(changed, opening.session, refresh)

    def _deed(self, user: User, action: Action, detail: Mapping[str, Value] = NOTHING) -> Deed:
        return Deed(actor=user.actor, action=action, subject=user.subject, at=self._clock.now(), detail=detail)
