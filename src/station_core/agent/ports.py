from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.agent.model import Restart
    from station_core.audit.model import Deed


class AgentStore(Protocol):
    """
    What the agent is asked for must outlive a power cut, and the restart itself.

    Atomic as `DeviceStore`; raises `StoreUnavailable` and `StoreFull` as that does.
    """

    async def restarts(self) -> Sequence[Restart]:
        """Those that are kept, oldest first."""
        ...

    async def keep_restart(self, restart: Restart, *, forget: Sequence[str] = (), deed: Deed | None = None) -> None:
        """Keep a restart as it is now, and forget those with these ids."""
        ...
