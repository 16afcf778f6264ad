"""Deeds, and what a store has recorded of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.audit.model import Action, Actor, ActorKind, Deed, RecordFilter, Subject, SubjectKind
from tests.contract.told import NOON

if TYPE_CHECKING:
    from tests.contract.rigs import StoreRig

ANNA = Actor(kind=ActorKind.USER, id="anna", name="anna@home.example")
LAMP = Subject(kind=SubjectKind.DEVICE, id="lamp", name="Lämpchen")


def deed(action: Action = Action.DEVICE_ADD, **more: object) -> Deed:
    fields: dict[str, object] = {"actor": ANNA, "action": action, "subject": LAMP, "at": NOON, **more}
    return Deed(**fields)  # type: ignore[arg-type]  # as the tests name them


async def recorded(stores: StoreRig, wanted: RecordFilter | None = None) -> list[Deed]:
    """Oldest first."""
    page = await stores.audit.records(RecordFilter() if wanted is None else wanted, limit=500)
    return [record.deed for record in reversed(page.items)]
