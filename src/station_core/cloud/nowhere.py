from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.cloud.model import Standing
from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.cloud.model import CloudConfig


class NoCloud:
    """The `CloudStore` of a home that keeps nothing of a cloud, so that none can claim it."""

    async def load(self, *, fresh_secret: str) -> Standing:
        """Nobody has claimed it, and the secret is another one at each start."""
        return Standing(claim_secret=fresh_secret)

    async def claim(self, config: CloudConfig, *, claim_secret: str) -> None:  # noqa: ARG002  # the port's
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable("This home can't be claimed: it keeps nothing of a cloud.")

    async def forget(self) -> None:
        """Nobody has claimed it."""

    async def unclaim(self, *, fresh_secret: str) -> None:
        """Nobody has."""

    async def begin_reset(self, devices: Sequence[str]) -> None:
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(f"This home can't remember to reset {len(devices)} devices: it keeps nothing of that.")

    async def end_reset(self) -> None:
        """None is under way."""
