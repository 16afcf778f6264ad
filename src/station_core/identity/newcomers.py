from __future__ import annotations

from typing import TYPE_CHECKING, Final

from station_core.errors import Malformed
from station_core.identity.model import User
from station_core.values import text_weight

if TYPE_CHECKING:
    from station_core.clock import Clock, Randomness
    from station_core.identity.model import Role
    from station_core.identity.ports import PasswordHasher

PASSWORD_LENGTH: Final = range(
    8, 1_025
)  # characters; NIST SP 800-63B asks for at least 8, the bound keeps hashing cheap


class Newcomers:
    """Makes users of what is told about them; keeps nothing."""

    def __init__(self, *, passwords: PasswordHasher, clock: Clock, randomness: Randomness) -> None:
        self._passwords = passwords
        self._clock = clock
        self._randomness = randomness

    async def user(self, *, email: str, password: str, role: Role, name: str | None) -> User:
        """A user with a fresh id, named after the address unless otherwise; raise `Malformed`."""
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
