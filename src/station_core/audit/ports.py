from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from station_core.audit.model import ALL_RECORDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from station_core.audit.model import Deed, RecordFilter, RecordPage


class AuditStore(Protocol):
    """
    What is kept of deeds; those that changed something come with the change, by the store that keeps it.

    Atomic as `DeviceStore`; raises `StoreUnavailable` and `StoreFull` as that does, and `ChangeRefused` for a deed that
    can never be kept.
    """

    async def keep(self, deeds: Sequence[Deed]) -> None:
        """Keep deeds that changed nothing, as one, in this order."""
        ...

    async def records(
        self, wanted: RecordFilter = ALL_RECORDS, *, limit: int = 50, cursor: str | None = None
    ) -> RecordPage:
        """Newest first; what is kept meanwhile doesn't shift a page. Raise `Malformed` for a cursor that isn't ours."""
        ...

    async def forget_records(self, *, before: datetime, limit: int) -> int:
        """Forget as `DeviceStore.forget_activities` does."""
        ...
