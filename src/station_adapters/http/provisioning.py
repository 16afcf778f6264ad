from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.guards import asker
from station_adapters.http.provisioning_schemas import (
    AttemptIn,
    AttemptOut,
    CandidatesOut,
    attempt_out,
    candidate_out,
)
from station_adapters.http.waiting import in_time
from station_core.values import text_weight

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.home import Home

PREFIX = "/api/device/provisioning"


def provisioning_routes(home: Home, guards: Guards) -> Router:
    """New devices, for the owner and admins (docs/protocols.md §2)."""

    @get(f"{PREFIX}/candidates", before_request=guards.admin, sync_to_thread=False)
    def candidates() -> CandidatesOut:
        """Who is in range, as far as somebody looks just now: the scan runs while a live socket wants it."""
        return CandidatesOut([candidate_out(candidate) for candidate in home.lookout.candidates])

    @post(["/provisioning/add", f"{PREFIX}/add"], before_request=guards.admin, status_code=202)
    async def add(data: JSONBody[AttemptIn], scope: Scope) -> AttemptOut:
        """Begin; what becomes of it is told on the live socket, and here when asked."""
        zone_id = data.zone_id
        if zone_id is not None:
            text_weight(zone_id)
            home.zones.zone(zone_id)
        # Asked before, or a refusal would leave a zone.
        known = home.provisioning.check(external_id=data.external_id, name=data.name, again=data.again)
        if known is None and zone_id is None and data.location is not None and data.location.strip():
            async with in_time():
                zone_id = (await home.zones.named(data.location, by=asker(scope))).id
        begun = home.provisioning.begin(
            external_id=data.external_id, name=data.name, zone_id=zone_id, again=data.again, by=asker(scope)
        )
        return attempt_out(begun)

    @get(f"{PREFIX}/{{attempt_id:str}}", before_request=guards.admin, sync_to_thread=False)
    def attempt(attempt_id: FromPath[str]) -> AttemptOut:
        """How far it has come."""
        return attempt_out(home.provisioning.attempt(attempt_id))

    @delete(f"{PREFIX}/{{attempt_id:str}}", before_request=guards.admin, sync_to_thread=False)
    def cancel(attempt_id: FromPath[str], scope: Scope) -> None:
        """End it; what it has reserved is taken back."""
        home.provisioning.cancel(attempt_id, by=asker(scope))

    handlers = [candidates, add, attempt, cancel]
    return Router("/", route_handlers=handlers, tags=["provisioning"])
