"""The shapes of logging in and of sessions (docs/protocols.md §4): camelCase; times are RFC 3339 UTC."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING

import msgspec

from station_core.errors import Malformed

if TYPE_CHECKING:
    from station_core.identity.model import Session


class Credentials(msgspec.Struct):
    """Who wants to log in, by e-mail address or name, and what they call the thing that they do it with."""

    password: str
    email: str | None = None
    name: str | None = None
    device: str | None = None

    @property
    def who(self) -> str:
        """What they are known by; raise `Malformed` for neither address nor name."""
        found = self.name if self.email is None else self.email
        if found is None:
            raise Malformed("An e-mail address or a name is missing.")
        return found


class SessionOut(msgspec.Struct, rename="camel"):
    """One of the caller's sessions."""

    id: str
    device: str | None
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    current: bool


class SessionPage(msgspec.Struct, rename="camel"):
    """All of them."""

    items: list[SessionOut]
    next_cursor: str | None


class PasswordChange(msgspec.Struct, rename="camel"):
    """Another password."""

    old_password: str
    new_password: str


def session_out(session: Session, *, current: bool) -> SessionOut:
    """A session as its owner sees it."""
    return SessionOut(
        id=session.id,
        device=session.device,
        user_agent=session.user_agent,
        created_at=session.created_at,
        last_used_at=session.used_at,
        current=current,
    )
