from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.audit.model import ALL_RECORDS, RecordPage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from station_core.audit.model import Deed, RecordFilter


class Unrecorded:
    """The `AuditStore` of a home that records nothing of what is done."""

    async def keep(self, deeds: Sequence[Deed]) -> None:
        """Nothing is kept."""

    async def records(
        self,
        wanted: RecordFilter = ALL_RECORDS,  # noqa: ARG002  # the port's
        *,
        limit: int = 50,  # noqa: ARG002  # same
        cursor: str | None = None,  # noqa: ARG002  # same
    ) -> RecordPage:
        """None."""
        return RecordPage(items=(), next_cursor=None)

    async def forget_records(self, *, before: datetime, limit: int) -> int:  # noqa: ARG002  # the port's
        """There is nothing to forget."""
        return 0
