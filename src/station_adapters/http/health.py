from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, Router, get, head
from litestar.types import Scope  # noqa: TC002  # Litestar reads handlers' annotations

from station_adapters.http.door import stopping
from station_adapters.http.errors import PROBLEM_JSON, Problem, problem_of
from station_adapters.http.guards import identified
from station_core.errors import BrokerUnavailable, Starting, StoreUnavailable, Unauthenticated
from station_core.health import STORE, Phase
from station_core.identity.model import Role

if TYPE_CHECKING:
    from station_adapters.http.callers import Callers
    from station_core.errors import StationError
    from station_core.health import Health
    from station_core.home import Home


class Alive(msgspec.Struct):
    """It answers."""

    status: str = "ok"


class PartOut(msgspec.Struct, omit_defaults=True):
    """A part of the station; when and why only for the owner."""

    up: bool
    since: datetime | None = None
    detail: str | None = None


class Ready(msgspec.Struct):
    """All that it depends on."""

    status: str
    parts: dict[str, PartOut]


class NotReady(Problem, rename="camel"):
    """Why the station can't be used now, and how its parts are."""

    parts: dict[str, PartOut]


def health_routes(home: Home, callers: Callers) -> Router:
    """Whether it lives, and how its parts are; nothing here needs a credential (docs/protocols.md §4)."""

    @get(["/health", "/api/health", "/health/live"], sync_to_thread=False)
    def alive() -> Alive:
        """It answers; but for /health/live, the door has it that the station serves."""
        return Alive()

    @head(["/health", "/api/health", "/health/live"], sync_to_thread=False)
    def alive_in_short() -> None:
        """The same for monitors that want no body."""

    @get("/health/startup", sync_to_thread=False)
    def startup() -> Alive:
        """503 until the start is done."""
        if home.health.phase is Phase.STARTING:
            raise Starting
        return Alive()

    @get("/health/ready", sync_to_thread=False)
    def ready(scope: Scope) -> Response[Any]:
        """503 only while the database or the broker isn't usable; details for the owner alone."""
        details = _is_owner(home, callers, scope)
        parts = {
            name: PartOut(up=part.up, since=part.since, detail=part.detail) if details else PartOut(up=part.up)
            for name, part in home.health.parts.items()
        }
        if home.health.ready:
            return Response(Ready(status="ok", parts=parts))
        body, headers = problem_of(_why(home.health), scope["path"])
        told = NotReady(**msgspec.structs.asdict(body), parts=parts)
        return Response(told, status_code=body.status, media_type=PROBLEM_JSON, headers=headers)

    return Router("/", route_handlers=[alive, alive_in_short, startup, ready], tags=["health"])


def _why(health: Health) -> StationError:
    if health.phase is Phase.STARTING:
        return Starting()
    if health.phase is Phase.STOPPING:
        return stopping()
    store = health.parts.get(STORE)
    return BrokerUnavailable() if store is not None and store.up else StoreUnavailable()


def _is_owner(home: Home, callers: Callers, scope: Scope) -> bool:
    try:
        return identified(home, callers, scope).user.role is Role.OWNER
    except Unauthenticated:
        return False
