from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.cloud.model import Standing
from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from station_core.audit.model import Deed
    from station_core.cloud.channels import EventChannel
    from station_core.cloud.letters import Rank, Waiting
    from station_core.cloud.model import CloudConfig
    from station_core.cloud.outbox import Bounds


class NoCloud:
    """The `CloudStore` of a home that keeps nothing of a cloud, so that none can claim it."""

    async def load(self, *, fresh_secret: str) -> Standing:
        """Nobody has claimed it, and the secret is another one at each start."""
        return Standing(claim_secret=fresh_secret)

    async def claim(self, config: CloudConfig, *, claim_secret: str, deed: Deed | None = None) -> None:  # noqa: ARG002  # the port's
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable("This home can't be claimed: it keeps nothing of a cloud.")

    async def forget(self, *, deed: Deed | None = None) -> None:
        """Nobody has claimed it."""

    async def unclaim(self, *, fresh_secret: str, deed: Deed | None = None) -> None:
        """Nobody has."""

    async def begin_reset(self, devices: Sequence[str], *, deed: Deed | None = None) -> None:  # noqa: ARG002  # same
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(f"This home can't remember to reset {len(devices)} devices: it keeps nothing of that.")

    async def end_reset(self) -> None:
        """None is under way."""


class NoOutbox:
    """The `Outbox` of a home that tells no cloud of anything."""

    active: frozenset[EventChannel] = frozenset()

    async def load(self) -> None:
        """Nothing."""

    async def activate(self, channels: frozenset[EventChannel]) -> None:
        """None will ever go up."""

    async def head(self) -> int:
        """Nothing has happened."""
        return 0

    async def waiting(self, *, after: tuple[int, str], limit: int, states: bool = True) -> Sequence[Waiting]:  # noqa: ARG002  # the port's
        """Nothing waits."""
        return []

    async def delivered(self, letters: Sequence[Waiting]) -> None:
        """Nothing was."""

    async def cut(self, bounds: Bounds, *, limit: int) -> Mapping[Rank, int]:  # noqa: ARG002  # the port's
        """Nothing is too much."""
        return {}

    async def oldest(self) -> datetime | None:
        """None."""
        return None
