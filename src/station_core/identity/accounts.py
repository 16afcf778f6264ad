from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.errors import Conflict
from station_core.identity.model import Role
from station_core.identity.newcomers import check_password

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.identity.access import AccessService
    from station_core.identity.model import User
    from station_core.identity.newcomers import Newcomers
    from station_core.identity.ports import IdentityStore, PasswordHasher
    from station_core.identity.residents import Residents


class Accounts:
    """Who belongs to the household: add, disable, enable, give a new password; store first, then memory."""

    def __init__(
        self,
        *,
        store: IdentityStore,
        residents: Residents,
        access: AccessService,
        newcomers: Newcomers,
        passwords: PasswordHasher,
    ) -> None:
        self._store = store
        self._residents = residents
        self._access = access
        self._newcomers = newcomers
        self._passwords = passwords

    def users(self) -> Sequence[User]:
        """Everybody, by e-mail address."""
        return self._residents.all()

    def user(self, email: str) -> User:
        """Whose address this is, or raise `NotFound`."""
        return self._residents.known(email)

    async def add(self, *, email: str, password: str, role: Role, name: str | None = None) -> User:
        """One more user; raise `Conflict` for an address that is taken or a first who is no owner, or `Malformed`."""
        if self._access.registration_open:
            if role is not Role.OWNER:
                raise Conflict("The station has no owner yet: the first user has to be one.")
            login = await self._access.register(email=email, password=password, name=name)
            await self._access.log_out(self._access.verify(login.access_token).session_id)
            return login.user
        user = await self._newcomers.user(email=email, password=password, role=role, name=name)
        async with self._residents.one_at_a_time:
            await self._store.add(user)
            self._residents.put(user)
        return user

    async def disable(self, email: str) -> User:
        """Keep a user out and end all their sessions; raise `NotFound`, or `Conflict` for the last owner."""
        async with self._residents.one_at_a_time:
            user = self.user(email)
            others = [one for one in self.users() if one.id != user.id and not one.disabled]
            if user.role is Role.OWNER and not any(one.role is Role.OWNER for one in others):
                raise Conflict("The last owner can't be disabled.")
            await self._store.disable(user.id)
            disabled = replace(user, disabled=True)
            self._residents.put(disabled)
            self._residents.ended_all(user.id)
            return disabled

    async def enable(self, email: str) -> User:
        """Let a user in again; raise `NotFound`."""
        async with self._residents.one_at_a_time:
            user = self.user(email)
            await self._store.enable(user.id)
            enabled = replace(user, disabled=False)
            self._residents.put(enabled)
            return enabled

    async def reset_password(self, *, email: str, password: str) -> User:
        """Give a user a new password and end all their sessions; raise `NotFound`, or `Malformed`."""
        check_password(password)
        user = self.user(email)
        hashed = await self._passwords.hash(password)
        async with self._residents.one_at_a_time:
            await self._store.set_password(user.id, hashed)
            present = replace(self._residents.user(user.id) or user, password_hash=hashed)
            self._residents.put(present)
            self._residents.ended_all(user.id)
            return present
