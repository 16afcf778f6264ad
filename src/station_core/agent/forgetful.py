from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.agent.model import Restart
    from station_core.audit.model import Deed


class Forgetful:
    """The `AgentStore` of a home that remembers no restart beyond its own end."""

    async def restarts(self) -> Sequence[Restart]:
        """None."""
        return ()

    async def keep_restart(self, restart: Restart, *, forget: Sequence[str] = (), deed: Deed | None = None) -> None:
        """Nothing is kept."""
