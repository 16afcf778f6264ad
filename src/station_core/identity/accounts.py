from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.audit.model import NOTHING, SYSTEM, Action, Deed
from station_core.errors import Conflict, NotFound
from station_core.identity.model import Role
from station_core.identity.newcomers import check_password

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.audit.model import Actor
    from station_core.clock import Clock
    from station_core.identity.access import AccessService
    from station_core.identity.authority import Authority
    from station_core.identity.model import User
    from station_core.identity.newcomers import Newcomers
    from station_core.identity.ports import IdentityStore, PasswordHasher
    from station_core.identity.residents import Residents
    from station_core.values import Value


class Accounts:
    """
    Who belongs to the household, as what; the store first, with the deed of who wanted it (*by*), then memory.

    Whether they may is the `Authority`'s to judge: `Forbidden` when not.
    """

    def __init__(
        self,
        *,
        store: IdentityStore,
        residents: Residents,
        access: AccessService,
        newcomers: Newcomers,
        passwords: PasswordHasher,
        authority: Authority,
        clock: Clock,
    ) -> None:
        self._store = store
        self._residents = residents
        self._access = access
        self._newcomers = newcomers
        self._passwords = passwords
        self._authority = authority
        self._clock = clock

    def users(self) -> Sequence[User]:
        """Everybody, by e-mail address."""
        return self._residents.all()

    def user(self, email: str) -> User:
        """Whose address this is, or raise `NotFound`."""
        return self._residents.known(email)

    async def add(self, *, email: str, password: str, role: Role, name: str | None = None, by: Actor = SYSTEM) -> User:
        """One more user; raise `Conflict` for an address that is taken or a first who is no owner, or `Malformed`."""
        if self._access.registration_open:
            if role is not Role.OWNER:
                raise Conflict("The station has no owner yet: the first user has to be one.")
            login = await self._access.register(email=email, password=password, name=name, by=by)
            await self._access.log_out(self._access.verify(login.access_token).session_id, action=None)
            return login.user
        user = await self._newcomers.user(email=email, password=password, role=role, name=name)
        async with self._residents.one_at_a_time:
            deed = self._deed(by, Action.USER_ADD, user, {"role": role.value})
            await self._store.add(user, deed=deed)
            self._residents.put(user)
        return user

    async def change_role(self, user_id: str, role: Role, *, by: Actor = SYSTEM) -> User:
        """
        Make somebody something else, and end all their sessions.

        Raise `NotFound`, `Forbidden`, or `Conflict` for the last owner.
        """
        async with self._residents.one_at_a_time:
            user = self._of_id(user_id)
            detail = {"before": user.role.value, "now": role.value}
            deed = self._deed(by, Action.ROLE_CHANGE, user, detail)
            self._authority.check(deed, user.role, role)
            if user.role is role:
                return user
            self._residents.owner_id = await self._store.set_role(user.id, role, deed=deed)
            changed = replace(user, role=role)
            self._residents.put(changed)
            self._residents.ended_all(user.id)
            return changed

    async def remove(self, user_id: str, *, by: Actor = SYSTEM) -> User:
        """
        Somebody belongs to the household no more; all their sessions end. Return who it was.

        Raise `NotFound`, `Forbidden`, or `Conflict` for the last owner.
        """
        async with self._residents.one_at_a_time:
            user = self._of_id(user_id)
            deed = self._deed(by, Action.USER_REMOVE, user, {"role": user.role.value})
            self._authority.check(deed, user.role)
            self._residents.owner_id = await self._store.remove(user.id, deed=deed)
            self._residents.gone(user.id)
            return user

    async def disable(self, email: str, *, by: Actor = SYSTEM) -> User:
        """Keep a user out and end all their sessions; raise `NotFound`, or `Conflict` for the last owner."""
        async with self._residents.one_at_a_time:
            user = self.user(email)
            others = [one for one in self.users() if one.id != user.id and not one.disabled]
            if user.role is Role.OWNER and not any(one.role is Role.OWNER for one in others):
                raise Conflict("The last owner can't be disabled.")
            await self._store.disable(user.id, deed=self._deed(by, Action.USER_DISABLE, user))
            disabled = replace(user, disabled=True)
            self._residents.put(disabled)
            self._residents.ended_all(user.id)
            return disabled

    async def enable(self, email: str, *, by: Actor = SYSTEM) -> User:
        """Let a user in again; raise `NotFound`."""
        async with self._residents.one_at_a_time:
            user = self.user(email)
            await self._store.enable(user.id, deed=self._deed(by, Action.USER_ENABLE, user))
            enabled = replace(user, disabled=False)
            self._residents.put(enabled)
            return enabled

    async def reset_password(self, *, email: str, password: str, by: Actor = SYSTEM) -> User:
        """Give a user a new password and end all their sessions; raise `NotFound`, or `Malformed`."""
        check_password(password)
        user = self.user(email)
        hashed = await self._passwords.hash(password)
        async with self._residents.one_at_a_time:
            await self._store.set_password(user.id, hashed, deed=self._deed(by, Action.PASSWORD_RESET, user))
            present = replace(self._residents.user(user.id) or user, password_hash=hashed)
            self._residents.put(present)
            self._residents.ended_all(user.id)
            return present

    def _of_id(self, user_id: str) -> User:
        user = self._residents.user(user_id)
        if user is None:
            raise NotFound("There is no such user.")
        return user

    def _deed(self, by: Actor, action: Action, user: User, detail: Mapping[str, Value] = NOTHING) -> Deed:
        return Deed(actor=by, action=action, subject=user.subject, at=self._clock.now(), detail=detail)
