"""Who is what in the household, and who is asked to join it: parts of `SqlIdentityStore`'s transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from station_adapters.sql.errors import violated
from station_adapters.sql.outbox import post, post_if_claimed, withdraw
from station_adapters.sql.tables import invites, sessions, station, station_members, users
from station_core.cloud.letters import invite_letter, invite_letter_id
from station_core.errors import Conflict, NotFound
from station_core.identity.model import Invite, Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection


def set_role(connection: Connection, user_id: str, role: Role) -> str | None:
    """See `IdentityStore.set_role`."""
    if role is Role.OWNER:
        _gate(connection)
    else:
        _leave_an_owner(connection, user_id)
    changed = connection.execute(update(users).where(users.c.id == user_id).values(role=role.value)).rowcount
    if not changed:
        raise NotFound("There is no such user.")
    member = station_members.c.user_id == user_id
    if not connection.execute(update(station_members).where(member).values(role=role.value)).rowcount:
        connection.execute(insert(station_members).values(user_id=user_id, role=role.value))
    connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
    return _owner_id(connection)


def remove(connection: Connection, user_id: str) -> str | None:
    """See `IdentityStore.remove`."""
    _leave_an_owner(connection, user_id)
    if not connection.execute(delete(users).where(users.c.id == user_id)).rowcount:
        raise NotFound("There is no such user.")
    return _owner_id(connection)


def invite(connection: Connection, asked: Invite) -> None:
    """See `IdentityStore.invite`."""
    folded = asked.email.casefold()
    post_if_claimed(connection, invite_letter(asked), invite_letter_id(asked))
    if connection.execute(select(users.c.id).where(users.c.email_folded == folded)).first() is not None:
        raise Conflict("Somebody has this e-mail address already.")
    for former in open_invites(connection, invites.c.email_folded == folded):
        withdraw(connection, invite_letter_id(former))
    over = (invites.c.email_folded == folded) | (invites.c.expires_at <= asked.sent_at)
    connection.execute(delete(invites).where(over))
    row = {
        "id": asked.id,
        "email": asked.email,
        "email_folded": folded,
        "role": asked.role.value,
        "invited_by": asked.invited_by,
        "created_at": asked.created_at,
        "sent_at": asked.sent_at,
        "expires_at": asked.expires_at,
    }
    try:
        connection.execute(insert(invites).values(row))
    except IntegrityError as error:
        if violated(error) == "unique":
            raise Conflict("Somebody else has invited them just now.") from error
        raise


def uninvite(connection: Connection, invite_id: str) -> None:
    """See `IdentityStore.revoke_invite`."""
    for former in open_invites(connection, invites.c.id == invite_id):
        withdraw(connection, invite_letter_id(former))
    if not connection.execute(delete(invites).where(invites.c.id == invite_id)).rowcount:
        raise NotFound("There is no such invitation.")


def ask_again(connection: Connection, *, at: datetime) -> None:
    """Let the cloud that has just claimed the station hear of all who aren't here and whose time isn't up."""
    absent = invites.c.email_folded.not_in(select(users.c.email_folded))
    for asked in open_invites(connection, invites.c.expires_at > at, absent):
        post(connection, invite_letter(asked), invite_letter_id(asked))


def open_invites(connection: Connection, *conditions: ColumnElement[bool]) -> Sequence[Invite]:
    """All that weren't revoked and hold these."""
    return [
        Invite(
            id=row["id"],
            email=row["email"],
            role=Role(row["role"]),
            invited_by=row["invited_by"],
            created_at=row["created_at"],
            sent_at=row["sent_at"],
            expires_at=row["expires_at"],
        )
        for row in connection.execute(select(invites).where(*conditions)).mappings()
    ]


def _leave_an_owner(connection: Connection, user_id: str) -> None:
    """Raise `Conflict` when this user is the last owner; the station is another's from now on, if it was theirs."""
    _gate(connection)
    if connection.scalar(select(users.c.role).where(users.c.id == user_id)) != Role.OWNER.value:
        return
    others = (
        select(users.c.id)
        .where(users.c.role == Role.OWNER.value, users.c.id != user_id, users.c.disabled.is_(False))
        .order_by(users.c.created_at, users.c.id)
    )
    heir = connection.scalar(others.limit(1))
    if heir is None:
        raise Conflict("The last owner can't be removed or made anything else.")
    connection.execute(update(station).where(station.c.owner_id == user_id).values(owner_id=heir))


def _gate(connection: Connection) -> None:
    """The station's row is the gate: of several at once the others wait here, and see what the first has done."""
    connection.execute(update(station).values(owner_id=station.c.owner_id))


def _owner_id(connection: Connection) -> str | None:
    owner_id: str | None = connection.scalar(select(station.c.owner_id))
    return owner_id
