"""Who did what to whom, and when: what the owner can read afterwards (docs/protocols.md §4, "Audit item")."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from station_core.values import Value

KEPT_FOR: Final = timedelta(days=180)
NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})
DONE: Final = "done"
"""The result of what came to pass; of what didn't it's the error's code."""


class ActorKind(StrEnum):
    """Who can want something of the station, or try to."""

    USER = "user"
    STRANGER = "stranger"
    """Somebody who hasn't shown who they are: whoever fails to log in."""
    INSTALLER = "installer"
    """Whoever stands at the box: the control socket."""
    DEVICE = "device"
    AGENT = "agent"
    CLOUD = "cloud"
    AUTOMATION = "automation"
    SYSTEM = "system"
    """The station itself, or the program that embeds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """
    Who wants it; *id* is of the user, device or automation, None where the kind says all.

    *name* is what people know them by: a user's e-mail address, a device's or an automation's name.
    """

    kind: ActorKind
    id: str | None = None
    name: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.kind.value if self.id is None else f"{self.kind.value}:{self.id}"


SYSTEM: Final = Actor(kind=ActorKind.SYSTEM)
STRANGER: Final = Actor(kind=ActorKind.STRANGER)
INSTALLER: Final = Actor(kind=ActorKind.INSTALLER)
AGENT: Final = Actor(kind=ActorKind.AGENT)
CLOUD: Final = Actor(kind=ActorKind.CLOUD)


class SubjectKind(StrEnum):
    """What something can be done to."""

    USER = "user"
    SESSION = "session"
    INVITE = "invite"
    DEVICE = "device"
    PROVISIONING = "provisioning"
    ZONE = "zone"
    STATION = "station"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    Whom it was done to, by the name of that time: it stays readable when it's gone.

    Without an id: nobody that the station knows, or the only one of its kind.
    """

    kind: SubjectKind
    id: str | None = None
    name: str | None = None


STATION: Final = Subject(kind=SubjectKind.STATION)


class Action(StrEnum):
    """What is recorded; the words are the wire's."""

    REGISTER = "register"
    LOGIN = "login"
    LOGOUT = "logout"
    SESSION_END = "session_end"
    PASSWORD_CHANGE = "password_change"  # noqa: S105  # a word
    PASSWORD_RESET = "password_reset"  # noqa: S105  # a word
    USER_ADD = "user_add"
    USER_UPDATE = "user_update"
    USER_REMOVE = "user_remove"
    USER_DISABLE = "user_disable"
    USER_ENABLE = "user_enable"
    ROLE_CHANGE = "role_change"
    INVITE_ADD = "invite_add"
    INVITE_REVOKE = "invite_revoke"
    PROVISIONING_BEGIN = "provisioning_begin"
    PROVISIONING_END = "provisioning_end"
    DEVICE_ADD = "device_add"
    DEVICE_UPDATE = "device_update"
    DEVICE_REMOVE = "device_remove"
    DEVICE_COMMAND = "device_command"
    CREDENTIALS_RENEW = "credentials_renew"
    CREDENTIALS_REVOKE = "credentials_revoke"
    ZONE_ADD = "zone_add"
    ZONE_UPDATE = "zone_update"
    ZONE_REMOVE = "zone_remove"
    WIFI_CHANGE = "wifi_change"
    RESTART_ASK = "restart_ask"
    RESTART_REPORT = "restart_report"
    CLOUD_CLAIM = "cloud_claim"
    CLOUD_UNCLAIM = "cloud_unclaim"
    IDENTITY_SYNC = "identity_sync"
    STATION_RENAME = "station_rename"
    STATION_RESET = "station_reset"
    ORDER = "order"
    """Something that the operator ordered at the box and no other word tells."""
    AUDIT_GAP = "audit_gap"
    """Deeds that weren't kept: their number is in the detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """
    Somebody did, or tried to do, something.

    *result* is `DONE` or the code of the error that stood against it; *detail* holds no secret, at most a few hundred
    bytes of JSON.
    """

    actor: Actor
    action: Action
    subject: Subject
    at: datetime
    result: str = DONE
    detail: Mapping[str, Value] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A deed as it was kept, under a number that grows."""

    number: int
    deed: Deed


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """
    Which records are wanted: all that satisfy every field.

    The ids are those of the actor and of the subject; no actions means any; the times are labels from *since* on and
    before *until*.
    """

    actor_kind: ActorKind | None = None
    actor_id: str | None = None
    actions: frozenset[Action] = frozenset()
    subject_kind: SubjectKind | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL_RECORDS: Final = RecordFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """Some records, newest first; `next_cursor` asks for those before them, None at the end."""

    items: Sequence[Record]
    next_cursor: str | None
