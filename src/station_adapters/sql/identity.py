from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from station_adapters.sql.audit import recorded
from station_adapters.sql.batch import is_id
from station_adapters.sql.content import check_texts
from station_adapters.sql.errors import violated
from station_adapters.sql.records import session_in, user_in, user_row
from station_adapters.sql.tables import refresh_tokens, sessions, station, station_members, users
from station_core.errors import Conflict, NotFound, RegistrationClosed
from station_core.identity.model import Role
from station_core.identity.ports import People, Rotation

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database
    from station_core.audit.model import Deed
    from station_core.identity.model import Session, User


class SqlIdentityStore:
    """
    An `IdentityStore` in PostgreSQL or SQLite.

    A used refresh token is remembered until the day on which it would have expired unused.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> People:
        """See `IdentityStore`."""

        def load(connection: Connection) -> People:
            return People(
                users=[user_in(row) for row in connection.execute(select(users)).mappings()],
                sessions=[session_in(row) for row in connection.execute(select(sessions)).mappings()],
                owner_id=connection.execute(select(station.c.owner_id)).scalar_one(),
                members={row.user_id: Role(row.role) for row in connection.execute(select(station_members))},
            )

        return await self._database.read(load)

    async def found(self, owner: User, session: Session, refresh_digest: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        check_texts([owner.email, owner.name, owner.password_hash, refresh_digest])

        def found(connection: Connection) -> None:
            # The station's row is the gate: of several at once the others wait here, and find the first one's user.
            connection.execute(update(station).values(owner_id=station.c.owner_id))
            if connection.execute(select(users.c.id).limit(1)).first() is not None:
                raise RegistrationClosed
            _add(connection, owner)
            connection.execute(update(station).values(owner_id=owner.id))
            _open(connection, session, refresh_digest)

        await self._database.run(recorded(found, deed))

    async def open_session(self, session: Session, refresh_digest: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        _check_user_id(session.user_id)

        def open_session(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= session.created_at))
            _open(connection, session, refresh_digest)

        await self._database.run(recorded(open_session, deed))

    async def rotate(
        self, refresh_digest: str, fresh_digest: str, *, at: datetime, expires_at: datetime
    ) -> Rotation | None:
        """See `IdentityStore`."""
        return await self._database.run(
            lambda connection: _rotate(connection, refresh_digest, fresh_digest, at=at, expires_at=expires_at)
        )

    async def close_session(self, session_id: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        if is_id(session_id):
            ending = delete(sessions).where(sessions.c.id == session_id)
            await self._database.run(recorded(lambda connection: connection.execute(ending).rowcount, deed))

    async def set_password(self, user_id: str, password_hash: str, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        _check_user_id(user_id)
        check_texts([password_hash])

        def set_password(connection: Connection) -> None:
            change = update(users).where(users.c.id == user_id).values(password_hash=password_hash)
            if not connection.execute(change).rowcount:
                raise NotFound("There is no such user.")
            connection.execute(delete(sessions).where(sessions.c.user_id == user_id))

        await self._database.run(recorded(set_password, deed))

    async def add(self, user: User, *, deed: Deed | None = None) -> None:
        """See `IdentityStore`."""
        check_texts([user.email, user.name, user.password_hash])
        try:
            await self._database.run(recorded(lambda connection: _add(connection, user), deed))
        except IntegrityError as error:
            if violated(error) == "unique":
                raise Conflict("Somebody has this e-mail address already.") from error
            raise

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


def _add(connection: Connection, user: User) -> None:
    connection.execute(insert(users).values(user_row(user)))
    connection.execute(insert(station_members).values(user_id=user.id, role=user.role.value))


def _turn(connection: Connection, user_id: str, *, disabled: bool) -> None:
    if not connection.execute(update(users).where(users.c.id == user_id).values(disabled=disabled)).rowcount:
        raise NotFound("There is no such user.")


def _open(connection: Connection, session: Session, refresh_digest: str) -> None:
    try:
        connection.execute(
            insert(sessions).values(
                id=session.id, user_id=session.user_id, created_at=session.created_at, expires_at=session.expires_at
            )
        )
    except IntegrityError as error:
        if violated(error) == "foreign key":
            raise NotFound("There is no such user.") from error
        raise
    _keep_token(connection, refresh_digest, session.user_id, session.id, session.expires_at)


def _rotate(
    connection: Connection, refresh_digest: str, fresh_digest: str, *, at: datetime, expires_at: datetime
) -> Rotation | None:
    # The session's row is locked first, by all who touch its tokens; then the token is looked at as it is by now.
    of_token = select(refresh_tokens.c.session_id).where(refresh_tokens.c.token == refresh_digest)
    row = (
        connection.execute(select(sessions).where(sessions.c.id == of_token.scalar_subquery()).with_for_update())
        .mappings()
        .one_or_none()
    )
    if row is None or row["expires_at"] <= at:
        return None
    mine = refresh_tokens.c.token == refresh_digest
    token = connection.execute(select(refresh_tokens.c.used_at).where(mine)).one_or_none()
    if token is None:
        return None
    if token.used_at is not None:
        connection.execute(delete(sessions).where(sessions.c.id == row["id"]))
        return Rotation(session=session_in(row), ended=True)
    connection.execute(update(refresh_tokens).where(mine).values(used_at=at))
    connection.execute(
        delete(refresh_tokens).where(refresh_tokens.c.session_id == row["id"], refresh_tokens.c.expires_at <= at)
    )
    connection.execute(update(sessions).where(sessions.c.id == row["id"]).values(expires_at=expires_at))
    _keep_token(connection, fresh_digest, row["user_id"], row["id"], expires_at)
    return Rotation(session=replace(session_in(row), expires_at=expires_at), ended=False)


def _keep_token(connection: Connection, digest: str, user_id: str, session_id: str, expires_at: datetime) -> None:
    connection.execute(
        insert(refresh_tokens).values(token=digest, user_id=user_id, session_id=session_id, expires_at=expires_at)
    )


def _check_user_id(user_id: str) -> None:
    if not is_id(user_id):
        raise NotFound("There is no such user.")
