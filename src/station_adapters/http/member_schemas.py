"""The shapes of the household's people and of who is asked to join (docs/protocols.md §4); no I/O."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING

import msgspec

from station_adapters.http.schemas import UserOut
from station_core.identity.model import Role  # noqa: TC001  # as datetime

if TYPE_CHECKING:
    from station_core.identity.model import Invite, User


class PersonOut(UserOut, rename="camel"):
    """A person, as the household sees them."""

    disabled: bool


class PeoplePage(msgspec.Struct, rename="camel"):
    """Some people by e-mail address; the cursor asks for those after them."""

    items: list[PersonOut]
    next_cursor: str | None


class RoleIn(msgspec.Struct):
    """What somebody shall be; the only body of which a role is read, beside an invitation's."""

    role: Role


class InviteIn(msgspec.Struct):
    """Who shall be asked to join, as what."""

    email: str
    role: Role


class InviteOut(msgspec.Struct, rename="camel"):
    """Somebody who is asked to join; *sent_at* is when they were asked last."""

    id: str
    email: str
    role: Role
    invited_by: str
    created_at: datetime
    sent_at: datetime
    expires_at: datetime


class InvitePage(msgspec.Struct, rename="camel"):
    """Some of them by e-mail address; the cursor asks for those after them."""

    items: list[InviteOut]
    next_cursor: str | None


def person_out(user: User) -> PersonOut:
    """A person, as the household sees them."""
    return msgspec.convert(user, PersonOut, from_attributes=True)


def invite_out(invite: Invite) -> InviteOut:
    """Somebody who is asked to join."""
    return msgspec.convert(invite, InviteOut, from_attributes=True)
