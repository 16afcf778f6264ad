"""Who lives in the house of the identity stores' suites, and how they come in."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from station_core.identity.model import Role, Session, User
from station_core.identity.refreshing import Digests, Opening

if TYPE_CHECKING:
    from station_core.identity.ports import Rotation
    from tests.contract.rigs import StoreRig

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
MONTH = timedelta(days=30)
NOBODIES = (str(uuid.UUID(int=7)), "nobody")


def user(email: str = "Ada@example.org", **more: object) -> User:
    fields: dict[str, object] = {"password_hash": "argon2 of it", "name": "Ada ✓", "role": Role.OWNER, **more}
    return User(id=str(uuid.uuid4()), email=email, created_at=NOON, **fields)  # type: ignore[arg-type]  # as named


def session(of: User, at: datetime = NOON) -> Session:
    return Session(
        id=str(uuid.uuid4()),
        user_id=of.id,
        created_at=at,
        used_at=at,
        expires_at=at + MONTH,
        device="Ada's ☎",
        user_agent="Browser/1",
    )


def opening(of: Session, secret: str = "r0", family: str = "first") -> Opening:
    return Opening(session=of, refresh=Digests(family=family, secret=secret))


async def founded(stores: StoreRig) -> tuple[User, Session]:
    ada = user()
    first = session(ada)
    await stores.identities.found(ada, opening(first))
    return ada, first


async def rotated(
    stores: StoreRig, used: str, fresh: str, at: datetime = NOON, *, family: str = "first"
) -> Rotation | None:
    refresh = Digests(family=family, secret=used)
    return await stores.identities.rotate(refresh, fresh, at=at, expires_at=at + MONTH)
