from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from station_adapters.memory.audit import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.agent.model import Restart
    from station_core.audit.model import Deed
    from station_core.errors import StationError


class MemoryAgentStore:
    """An `AgentStore` without a database; `trouble` is what every call raises while it is set."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self._restarts: dict[str, Restart] = {}
        self.trouble: StationError | None = None

    async def restarts(self) -> Sequence[Restart]:
        """See `AgentStore`."""
        await self._reach()
        return sorted(self._restarts.values(), key=lambda restart: restart.asked_at)

    async def keep_restart(self, restart: Restart, *, forget: Sequence[str] = (), deed: Deed | None = None) -> None:
        """See `AgentStore`."""
        await self._reach()

        def keep() -> None:
            for forgotten in forget:
                self._restarts.pop(forgotten, None)
            self._restarts[restart.id] = restart

        self.ledger.with_deed(keep, deed)

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # as in the device store
        if self.trouble is not None:
            raise self.trouble
