from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from station_adapters.sql import members
from station_adapters.sql.audit import recorded
from station_adapters.sql.batch import is_id
from station_adapters.sql.content import check_texts
from station_adapters.sql.errors import violated
from station_adapters.sql.outbox import SqlOutbox
from station_adapters.sql.reconciling import reconcile
from station_adapters.sql.records import session_in, session_row, user_in, user_row
from station_adapters.sql.tables import invites, refresh_tokens, sessions, station, station_members, users
from station_core.errors import Conflict, NotFound, RegistrationClosed
from station_core.identity.model import Role
from station_core.identity.ports import People, Rotation

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database
    from station_core.audit.model import Deed
    from station_core.identity.model import Invite, User
    from station_core.identity.reconciling import Reconciliation
    from station_core.identity.refreshing import Digests, Opening

WRITTEN: Final = ", ".join(table.name for table in (station, users, sessions, refresh_tokens, station_members, invites))


class SqlIdentityStore:
    """An `IdentityStore` in PostgreSQL or SQLite; invitations go into the *outbox* of the same database."""

    def __init__(self, database: Database, outbox: SqlOutbox | None = None) -> None:
        self._database = database
        self._outbox = SqlOutbox(database) if outbox is None else outbox

    async def load(self) -> People:
        """See `IdentityStore`."""

        def load(connection: Connection) -> People:
            if connection.dialect.name == "postgresql":
                # What a former connection may still be committing is waited for, and seen whole.
                connection.execute(text(f"LOCK TABLE {WRITTEN} IN SHARE MODE"))
            home = connection.execute(select(station.c.owner_id, station.c.name)).one()
            everybody = select(users).order_by(users.c.created_at, users.c.id)
            return People(
                users=[user_in(row) for row in connection.execute(everybody).mappings()],
                sessions=[session_in(row) for row in connection.execute(select(sessions)).mappings()],
                owner_id=home.owner_id,
                invites=members.open_invites(connection),
                members={row.user_id: Role(row.role) for row in connection.execute(select(station_members))},
                station_name=home.name,
            )

        return await self._database.run(load)

    async def found(self, owner: User, opening: Opening, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        check_texts([owner.email, owner.name, owner.password_hash])
        _check_opening(opening)

        def found(connection: Connection) -> None:
            # The station's row is the gate: of several at once the others wait here, and find the first one's user.
            connection.execute(update(station).values(owner_id=station.c.owner_id))
            if connection.execute(select(users.c.id).limit(1)).first() is not None:
                raise RegistrationClosed
            _add(connection, owner)
            connection.execute(update(station).values(owner_id=owner.id))
            _open(connection, opening)

        await self._database.run(recorded(found, deed))

    async def open_session(self, opening: Opening, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        _check_opening(opening)

        def open_session(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= opening.session.created_at))
            _open(connection, opening)

        await self._database.run(recorded(open_session, deed))

    async def rotate(self, refresh: Digests, fresh: str, *, at: datetime, expires_at: datetime) -> Rotation | None:
        """See `IdentityStore`."""
        return await self._database.run(
            lambda connection: _rotate(connection, refresh, fresh, at=at, expires_at=expires_at)
        )

    async def close_session(self, session_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        if is_id(session_id):
            ending = delete(sessions).where(sessions.c.id == session_id)
            await self._database.run(recorded(lambda connection: connection.execute(ending).rowcount, deed))

    async def close_sessions(self, user_id: str, *, but: str, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        if is_id(user_id) and is_id(but):
            others = delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id != but)
            await self._database.run(recorded(lambda connection: connection.execute(others).rowcount, deed))

    async def set_password(
        self, user_id: str, password_hash: str, *, then: Opening | None = None, deed: Deed | None = None
    ) -> None:
        """See `IdentityStore`."""
        _check_user_id(user_id)
        check_texts([password_hash])
        if then is not None:
            _check_opening(then)

        def set_password(connection: Connection) -> None:
            _turn(connection, user_id, password_hash=password_hash)
            connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
            if then is not None:
                _open(connection, then)

        await self._database.run(recorded(set_password, deed))

    async def rehash(self, user_id: str, password_hash: str) -> None:
        """See `IdentityStore`."""
        _check_user_id(user_id)
        check_texts([password_hash])
        await self._database.run(lambda connection: _turn(connection, user_id, password_hash=password_hash))

    async def add(self, user: User, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        check_texts([user.email, user.name, user.password_hash])
        try:
            await self._database.run(recorded(lambda connection: _add(connection, user), deed))
        except IntegrityError as error:
            if violated(error) == "unique":
                raise Conflict("Somebody has this e-mail address already.") from error
            raise

    async def set_role(self, user_id: str, role: Role, *, deed: Deed | None = None) -> str | None:
        """See `IdentityStore`."""
        _check_user_id(user_id)
        return await self._database.run(recorded(lambda connection: members.set_role(connection, user_id, role), deed))

    async def remove(self, user_id: str, *, deed: Deed | None = None) -> str | None:
        """See `IdentityStore`."""
        _check_user_id(user_id)
        return await self._database.run(recorded(lambda connection: members.remove(connection, user_id), deed))

    async def invite(self, invite: Invite, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        check_texts([invite.email, invite.invited_by])
        await self._database.run(recorded(lambda connection: members.invite(connection, invite), deed))
        self._outbox.grew()

    async def revoke_invite(self, invite_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        if not is_id(invite_id):
            raise NotFound("There is no such invitation.")
        await self._database.run(recorded(lambda connection: members.uninvite(connection, invite_id), deed))

    async def disable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        _check_user_id(user_id)

        def disable(connection: Connection) -> None:
            _turn(connection, user_id, disabled=True)
            connection.execute(delete(sessions).where(sessions.c.user_id == user_id))

        await self._database.run(recorded(disable, deed))

    async def enable(self, user_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        _check_user_id(user_id)
        await self._database.run(recorded(lambda connection: _turn(connection, user_id, disabled=False), deed))

    async def reconcile(self, change: Reconciliation, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        for user in change.put:
            check_texts([user.email, user.name, user.password_hash, user.station_password_hash, user.cloud_user_id])
        check_texts([change.station_name])
        await self._database.run(recorded(lambda connection: reconcile(connection, change), deed))


def _add(connection: Connection, user: User) -> None:
    connection.execute(insert(users).values(user_row(user)))
    connection.execute(delete(invites).where(invites.c.email_folded == user.email.casefold()))
    connection.execute(insert(station_members).values(user_id=user.id, role=user.role.value))


def _turn(connection: Connection, user_id: str, **values: object) -> None:
    if not connection.execute(update(users).where(users.c.id == user_id).values(**values)).rowcount:
        raise NotFound("There is no such user.")


def _open(connection: Connection, opening: Opening) -> None:
    session, refresh = opening.session, opening.refresh
    try:
        connection.execute(insert(sessions).values(session_row(session)))
    except IntegrityError as error:
        if violated(error) == "foreign key":
            raise NotFound("There is no such user.") from error
        raise
    connection.execute(
        insert(refresh_tokens).values(
            token=refresh.secret,
            family=refresh.family,
            user_id=session.user_id,
            session_id=session.id,
            expires_at=session.expires_at,
        )
    )


def _rotate(
    connection: Connection, refresh: Digests, fresh: str, *, at: datetime, expires_at: datetime
) -> Rotation | None:
    # The session's row is locked first, by all who touch its token; then the token is looked at as it is by now.
    mine = refresh_tokens.c.family == refresh.family
    of_family = select(refresh_tokens.c.session_id).where(mine).scalar_subquery()
    locked = select(sessions).where(sessions.c.id == of_family).with_for_update()
    row = connection.execute(locked).mappings().one_or_none()
    if row is None or row["expires_at"] <= at:
        return None
    present = connection.scalar(select(refresh_tokens.c.token).where(mine))
    this = sessions.c.id == row["id"]
    if present != refresh.secret:
        connection.execute(delete(sessions).where(this))
        return Rotation(session=session_in(row), ended=True)
    connection.execute(update(refresh_tokens).where(mine).values(token=fresh, expires_at=expires_at))
    connection.execute(update(sessions).where(this).values(used_at=at, expires_at=expires_at))
    return Rotation(session=replace(session_in(row), used_at=at, expires_at=expires_at), ended=False)


def _check_opening(opening: Opening) -> None:
    _check_user_id(opening.session.user_id)
    check_texts([opening.session.device, opening.session.user_agent])


def _check_user_id(user_id: str) -> None:
    if not is_id(user_id):
        raise NotFound("There is no such user.")
