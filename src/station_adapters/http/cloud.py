from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  # msgspec reads the fields' types
from dataclasses import asdict
from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.types import Scope  # noqa: TC002  # Litestar reads handlers' annotations

from station_adapters.http.guards import asker
from station_adapters.http.packing import NEVER_PACKED
from station_adapters.http.waiting import in_time
from station_core.cloud.status import Mode  # noqa: TC001  # as datetime

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_adapters.http.guards import Guards
    from station_core.home import Home


class ClaimOut(msgspec.Struct, rename="camel"):
    """What the cloud has to be shown by whoever wants to own the station there; *code* is both, for a QR code."""

    chip_id: str
    claim_secret: str
    code: str


class CloudStatusOut(msgspec.Struct, rename="camel"):
    """How it stands with the cloud, and what that calls the station."""

    station_name: str
    mode: Mode
    since: datetime
    connected_since: datetime | None
    last_error: str | None
    reconnects: int
    oldest_unsent: datetime | None
    active_channels: Sequence[str]
    claimed_at: datetime | None


def cloud_routes(home: Home, guards: Guards, drawn: Callable[[str], str]) -> Router:
    """Who owns the station in the cloud, and how the link is; *drawn* makes a QR code's SVG of a text."""

    async def owner_once_there_is_one(request: Request[Any, Any, Any]) -> None:
        if not home.access.registration_open:
            await guards.owner(request)

    @get("/api/cloud/claim", before_request=owner_once_there_is_one, sync_to_thread=False)
    def claim() -> ClaimOut:
        """What the cloud has to be shown to claim the station: for its owner, or anybody while there is no user."""
        code = home.claim.code
        return ClaimOut(chip_id=code.chip_id, claim_secret=code.claim_secret, code=code.text)

    @get("/api/cloud/claim/qr.svg", before_request=owner_once_there_is_one, sync_to_thread=False)
    def picture() -> Response[str]:
        """The same as a QR code."""
        return Response(drawn(home.claim.code.text), media_type="image/svg+xml")

    @post("/api/cloud/unclaim", before_request=guards.owner, status_code=204)
    async def unclaim(scope: Scope) -> None:
        """The cloud's owner is it no more; people and devices stay, and by the former secret nobody can claim it."""
        async with in_time():
            await home.claim.unclaim(by=asker(scope))

    @get("/api/cloud/status", before_request=guards.member, sync_to_thread=False)
    def status() -> CloudStatusOut:
        """How it stands with the cloud."""
        return CloudStatusOut(station_name=home.residents.station_name, **asdict(home.cloud.status))

    return Router("/", route_handlers=[claim, picture, unclaim, status], tags=["cloud"], opt=NEVER_PACKED)
