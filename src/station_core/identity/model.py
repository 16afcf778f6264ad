from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from station_core.audit.model import Actor, ActorKind, Subject, SubjectKind

if TYPE_CHECKING:
    from datetime import datetime


class Role(StrEnum):
    """What a person may do; an owner may all that an admin may, an admin all that a member may."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """
    A person of the household; a *disabled* one gets in nowhere.

    *email* is kept as given and compared without regard to case. *cloud_user_id*: as whom the cloud knows them, None
    for who is purely local; *linked*: it does, but they were here before; *synced_at*: when it last told of them.
    """

    id: str
    email: str
    name: str
    role: Role
    created_at: datetime
    password_hash: str | None = field(default=None, repr=False)
    disabled: bool = False
    cloud_user_id: str | None = None
    linked: bool = False
    station_password_hash: str | None = field(default=None, repr=False)
    synced_at: datetime | None = None

    @property
    def actor(self) -> Actor:
        """As who does something."""
        return Actor(kind=ActorKind.USER, id=self.id, name=self.email)

    @property
    def subject(self) -> Subject:
        """As who something is done to."""
        return Subject(kind=SubjectKind.USER, id=self.id, name=self.email)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """
    Somebody who is asked to join the household, until *expires_at*.

    *invited_by* is what people know the inviter by, *sent_at* when they were asked last.
    """

    id: str
    email: str
    role: Role
    invited_by: str
    created_at: datetime
    sent_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    One login and all that followed from it by refreshing; ends at *expires_at* unless refreshed before.

    *device* is what its owner calls the thing that logged in, *user_agent* what that calls itself.
    """

    id: str
    user_id: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    device: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What an access token says: whose, in which role, of which session, until when."""

    user_id: str
    role: Role
    session_id: str
    token_id: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking, after the token was verified and its session found alive."""

    user: User
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a person gets for a password or a refresh token; the tokens are shown this once."""

    user: User
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
