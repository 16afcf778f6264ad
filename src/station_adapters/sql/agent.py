from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from station_adapters.sql.audit import recorded
from station_adapters.sql.content import check_texts
from station_adapters.sql.tables import agent_restarts as restarts
from station_core.agent.model import Restart, State, What

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database
    from station_core.audit.model import Deed


class SqlAgentStore:
    """An `AgentStore` in PostgreSQL or SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def restarts(self) -> Sequence[Restart]:
        """See `AgentStore`."""
        query = select(restarts).order_by(restarts.c.asked_at)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [
            Restart(
                id=row["id"],
                what=What(row["what"]),
                state=State(row["state"]),
                asked_at=row["asked_at"],
                ended_at=row["ended_at"],
                error=row["error"],
            )
            for row in rows
        ]

    async def keep_restart(self, restart: Restart, *, forget: Sequence[str] = (), deed: Deed | None = None) -> None:
        """See `AgentStore`."""
        row = {
            "id": restart.id,
            "what": restart.what.value,
            "state": restart.state.value,
            "asked_at": restart.asked_at,
            "ended_at": restart.ended_at,
            "error": restart.error,
        }
        check_texts([restart.error or ""])

        def keep(connection: Connection) -> None:
            connection.execute(delete(restarts).where(restarts.c.id.in_([restart.id, *forget])))
            connection.execute(insert(restarts).values(row))

        await self._database.run(recorded(keep, deed))
