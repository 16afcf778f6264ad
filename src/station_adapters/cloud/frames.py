"""
The plain objects of the cloud's wire, told apart by `type` (docs/protocols.md §3).

What the platform leaves open is decided here: the names of the types and of their fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.values import Value


class _Discreet:
    """Shows no field: there's a secret among them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class ClaimHandshake(_Discreet, msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="claim_handshake"):
    """Up: who may be claimed, and by which secret."""

    chip_id: str
    claim_secret: str


class StationAuth(_Discreet, msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="station_auth"):
    """Up: who has been claimed."""

    station_token: str


class ClaimSuccess(_Discreet, msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="claim_success"):
    """Down: somebody has claimed the station."""

    station_token: Annotated[str, msgspec.Meta(min_length=1)]


class AuthOk(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="auth_ok"):
    """Down: from now on methods are served and events flow."""


class AuthError(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="auth_error"):
    """Down: the token isn't accepted; *code* says why."""

    code: str = ""


class Member(_Discreet, msgspec.Struct, frozen=True, rename="camel"):
    """A member of the household as the cloud knows it; what is absent stays as it is."""

    cloud_user_id: str
    email: str | UnsetType = UNSET
    name: str | UnsetType | None = UNSET
    role: str | UnsetType = UNSET
    station_password_hash: str | UnsetType | None = UNSET


class IdentitySync(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="identity_sync"):
    """Down: all members; each of `everybody` is to be read by `member`, for one bad one spoils no other."""

    users: list[Any] | UnsetType = UNSET
    members: list[Any] | UnsetType = UNSET
    station_name: str | UnsetType | None = UNSET
    owner_id: str | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        if self.users is UNSET and self.members is UNSET:
            # A list that got lost must not read as an empty household.
            raise ValueError("neither users nor members")  # msgspec makes it a ValidationError

    @property
    def everybody(self) -> list[Any]:
        """Under whichever name."""
        users = self.members if self.users is UNSET else self.users
        assert users is not UNSET
        return users


class StationRenamed(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="station_renamed"):
    """Down: the station's new name."""

    name: str


class MemberAdded(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="member_added"):
    """Down: somebody joins."""

    user: Member


class MemberUpdated(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="member_updated"):
    """Down: somebody changes."""

    user: Member


class MemberRemoved(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="member_removed"):
    """Down: somebody leaves."""

    cloud_user_id: str


class StationPasswordChanged(
    _Discreet, msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="station_password_changed"
):
    """Down: somebody logs in on the LAN by another password from now on."""

    cloud_user_id: str
    station_password_hash: str


class StationReset(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="station_reset"):
    """Down: the station is given up."""


Handshake: TypeAlias = ClaimSuccess | AuthOk | AuthError
"""What comes before the link is authenticated."""
Order: TypeAlias = (
    IdentitySync | StationRenamed | MemberAdded | MemberUpdated | MemberRemoved | StationPasswordChanged | StationReset
)
"""What is obeyed on an authenticated link only."""

HEARD: Final[Mapping[str, type[Handshake | Order]]] = {
    str(struct.__struct_config__.tag): struct
    for struct in (
        ClaimSuccess,
        AuthOk,
        AuthError,
        IdentitySync,
        StationRenamed,
        MemberAdded,
        MemberUpdated,
        MemberRemoved,
        StationPasswordChanged,
        StationReset,
    )
}
"""What the cloud says, by its `type`."""


def read(kind: str, body: Mapping[str, Value]) -> Handshake | Order | None:
    """The message of that type; None for a type that nobody has told us of; raise `Malformed` for a wrong shape."""
    struct = HEARD.get(kind)
    if struct is None:
        return None
    try:
        return msgspec.convert(body, struct)
    except msgspec.ValidationError as error:
        raise Malformed(f"{kind}: {error}") from None


def member(body: object) -> Member:
    """One of a list; raise `Malformed`."""
    try:
        return msgspec.convert(body, Member)
    except msgspec.ValidationError as error:
        raise Malformed(f"A member is wrong: {error}") from None


def write(message: ClaimHandshake | StationAuth) -> str:
    """The frame to be sent."""
    return msgspec.json.encode(message).decode()
