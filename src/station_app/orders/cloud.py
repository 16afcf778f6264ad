"""About who owns the station in the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_app.orders.order import Order
from station_core.audit.model import INSTALLER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.home import Home


class Claimed(msgspec.Struct, forbid_unknown_fields=True):
    """*again*: whoever has claimed the station loses it, and there is another secret."""

    again: bool = False


async def claim(home: Home, wanted: Claimed) -> dict[str, Any]:
    """What the cloud has to be shown to claim the station."""
    if wanted.again:
        await home.claim.unclaim(by=INSTALLER)
    code = home.claim.code
    return {
        "chipId": code.chip_id,
        "claimSecret": code.claim_secret,
        "code": code.text,
        "claimedAt": home.claim.standing.claimed_at,
    }


ORDERS: Final[Mapping[str, Order]] = {"claim": Order(wants=Claimed, carry_out=claim)}
