"""What the cloud makes of the household, as one transaction: the other side of `station_core.identity.reconciling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from station_adapters.sql.records import user_row
from station_adapters.sql.tables import invites, sessions, station, station_members, users

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from station_core.identity.model import User
    from station_core.identity.reconciling import Reconciliation


def reconcile(connection: Connection, change: Reconciliation) -> None:
    """See `IdentityStore.reconcile`."""
    connection.execute(update(station).values(owner_id=station.c.owner_id))  # the gate: see SqlIdentityStore.found
    present = set(connection.scalars(select(users.c.id).where(users.c.id.in_([user.id for user in change.put]))))
    _set_aside(connection, present | set(change.removed))
    for user in change.put:
        _put(connection, user, known=user.id in present)
    folded = [user.email.casefold() for user in change.put]
    connection.execute(delete(invites).where(invites.c.email_folded.in_(folded)))  # who is here isn't asked any more
    if change.owner_id is not None:
        connection.execute(update(station).values(owner_id=change.owner_id))
    if change.station_name is not None:
        connection.execute(update(station).values(name=change.station_name))
    connection.execute(delete(sessions).where(sessions.c.user_id.in_(change.revoked)))
    connection.execute(delete(users).where(users.c.id.in_(change.removed)))


def _set_aside(connection: Connection, ids: Collection[str]) -> None:
    """Two may change their addresses with each other: until all have theirs, each bears one that nobody else can."""
    for user_id in ids:
        aside = update(users).where(users.c.id == user_id)
        connection.execute(aside.values(email_folded=f"\n{user_id}", cloud_user_id=None))


def _put(connection: Connection, user: User, *, known: bool) -> None:
    row = user_row(user)
    if known:
        connection.execute(update(users).where(users.c.id == user.id).values(row))
        connection.execute(
            update(station_members).where(station_members.c.user_id == user.id).values(role=user.role.value)
        )
    else:
        connection.execute(insert(users).values(row))
        connection.execute(insert(station_members).values(user_id=user.id, role=user.role.value))
