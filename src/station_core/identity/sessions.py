from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.errors import Forbidden, NotFound, Unauthenticated
from station_core.identity.newcomers import check_password

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.identity.access import AccessService
    from station_core.identity.model import Login, Principal, Session
    from station_core.identity.ports import IdentityStore, PasswordHasher
    from station_core.identity.residents import Residents


class Sessions:
    """What people see and do of their own sessions; those of others aren't there for them."""

    def __init__(
        self, *, store: IdentityStore, residents: Residents, access: AccessService, passwords: PasswordHasher
    ) -> None:
        self._store = store
        self._residents = residents
        self._access = access
        self._passwords = passwords

    def of(self, principal: Principal) -> Sequence[Session]:
        """One's own, the last used first."""
        mine = [self._residents.seen(s) for s in self._residents.sessions() if s.user_id == principal.user.id]
        return sorted(mine, key=lambda session: session.used_at, reverse=True)

    async def end(self, principal: Principal, session_id: str) -> None:
        """End one of one's own, be it the present one; raise `NotFound`."""
        if session_id not in {session.id for session in self.of(principal)}:
            raise NotFound("There is no such session.")
        await self._access.log_out(session_id)

    async def end_others(self, principal: Principal) -> None:
        """End all of one's own but the present one."""
        async with self._residents.one_at_a_time:
            await self._store.close_sessions(principal.user.id, but=principal.session_id)
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
            raise Forbidden("The old password is wrong.") from None
        hashed = await self._passwords.hash(new)
        async with self._residents.one_at_a_time:
            present = self._residents.user(principal.user.id)
            session = self._residents.session(principal.session_id)
            if present is None or session is None or known_by != present.password_hash:
                raise Unauthenticated
            opening, refresh = self._access.opening(present, device=session.device, user_agent=session.user_agent)
            await self._store.set_password(present.id, hashed, then=opening)
            changed = replace(present, password_hash=hashed)
            self._residents.put(changed)
            self._residents.ended_all(changed.id)
            self._residents.goes_on(opening.session)
        return self._access.granted(changed, opening.session, refresh)
