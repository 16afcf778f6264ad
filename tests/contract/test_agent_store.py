"""What every `AgentStore` promises."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from station_core.agent.model import Restart, State, What
from station_core.audit.model import STATION, SYSTEM, Action, Deed
from station_core.errors import StoreUnavailable
from tests.contract.told import NOON

if TYPE_CHECKING:
    from tests.contract.rigs import StoreRig


def restart(number: int) -> Restart:
    return Restart(id=str(uuid.UUID(int=number)), what=What.HOST, asked_at=NOON + timedelta(minutes=number))


async def test_a_restart_is_kept_as_it_is_now_over_a_restart_of_the_station(stores: StoreRig) -> None:
    ended = restart(1).ended(State.FAILED, at=NOON + timedelta(minutes=5), error="kein Dienst: ä")
    await stores.agent.keep_restart(restart(2))
    await stores.agent.keep_restart(restart(1))
    await stores.agent.keep_restart(ended)
    await stores.reopen()

    assert list(await stores.agent.restarts()) == [ended, restart(2)]


async def test_others_are_forgotten_with_one_that_is_kept(stores: StoreRig) -> None:
    for number in (1, 2):
        await stores.agent.keep_restart(restart(number))
    await stores.agent.keep_restart(restart(3), forget=[restart(1).id, restart(2).id, restart(9).id])

    assert list(await stores.agent.restarts()) == [restart(3)]


async def test_the_deed_is_kept_with_it_or_neither_is(stores: StoreRig) -> None:
    deed = Deed(actor=SYSTEM, action=Action.RESTART_ASK, subject=STATION, at=NOON)
    await stores.agent.keep_restart(restart(1), deed=deed)
    await stores.cut()
    with pytest.raises(StoreUnavailable):
        await stores.agent.keep_restart(restart(2), deed=deed)
    await stores.mend()

    assert list(await stores.agent.restarts()) == [restart(1)]
    assert [record.deed for record in (await stores.audit.records()).items] == [deed]
