"""Restarts that people want and the agent does: one at a time, with an end, over power cuts (docs/protocols.md §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_core.agent.forgetful import Forgetful
from station_core.agent.model import State, What
from station_core.agent.restarts import ERROR_BOUND, KEPT, REPORTED_WITHIN, RETRY_AFTER, Restarts
from station_core.audit.model import AGENT, SYSTEM, Action, Actor, ActorKind
from station_core.errors import Conflict, Malformed, NotFound, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.agent.model import Restart
    from station_core.home import Home

ANNA = Actor(kind=ActorKind.USER, id="anna")


def told(home: Home) -> Restart | None:
    """What the agent is told to do."""
    return home.restarts.pending


async def test_a_restart_is_asked_for_done_and_told(ports: MemoryPorts, home: Home) -> None:
    asked = await home.restarts.ask(What.HOST, by=ANNA)
    assert [told(home), home.restarts.restart(asked.id)] == [asked, asked]
    await home.restarts.report(asked.id, ok=True)

    done = home.restarts.restart(asked.id)
    assert (done.state, done.ended_at, done.error) == (State.DONE, ports.clock.now(), None)
    assert told(home) is None
    deeds = [record.deed for record in (await ports.audit.records()).items][::-1]
    assert [(deed.actor, deed.action, deed.result) for deed in deeds] == [
        (ANNA, Action.RESTART_ASK, "done"),
        (AGENT, Action.RESTART_REPORT, "done"),
    ]
    assert dict(deeds[0].detail) == {"what": "host"}


async def test_a_failure_is_told_with_the_agents_word(ports: MemoryPorts, home: Home) -> None:
    asked = await home.restarts.ask(What.NETWORK)
    await home.restarts.report(asked.id, ok=False, error="no such service")

    assert home.restarts.restart(asked.id).error == "no such service"
    [report, _] = [record.deed for record in (await ports.audit.records()).items]
    assert (report.result, dict(report.detail)) == ("failed", {"what": "network", "error": "no such service"})


async def test_the_first_report_counts(home: Home) -> None:
    asked = await home.restarts.ask(What.STATION)
    await home.restarts.report(asked.id, ok=True)
    other = await home.restarts.ask(What.STATION)
    await home.restarts.report(asked.id, ok=False, error="again")

    assert home.restarts.restart(asked.id).state is State.DONE
    assert told(home) == other


async def test_one_is_pending_at_a_time(home: Home) -> None:
    await home.restarts.ask(What.HOST)

    with pytest.raises(Conflict):
        await home.restarts.ask(What.NETWORK)


async def test_what_is_not_there_or_no_proper_text_is_refused(home: Home) -> None:
    asked = await home.restarts.ask(What.HOST)
    for error in ("\0", "x" * (ERROR_BOUND + 1)):
        with pytest.raises(Malformed):
            await home.restarts.report(asked.id, ok=False, error=error)
    with pytest.raises(NotFound):
        await home.restarts.report("nobody's", ok=True)

    assert told(home) == asked


async def test_one_that_is_not_reported_in_time_has_timed_out_and_a_late_report_still_counts(
    ports: MemoryPorts, home: Home
) -> None:
    asked = await home.restarts.ask(What.HOST)
    await ports.clock.advance(REPORTED_WITHIN - 1)
    assert told(home) == asked
    await ports.clock.advance(1)
    assert home.restarts.restart(asked.id).state is State.TIMED_OUT
    assert told(home) is None
    other = await home.restarts.ask(What.NETWORK)
    await home.restarts.report(asked.id, ok=True)

    assert home.restarts.restart(asked.id).state is State.DONE
    assert told(home) == other
    actors = [record.deed.actor for record in (await ports.audit.records()).items][::-1]
    assert actors == [SYSTEM, SYSTEM, SYSTEM, AGENT]


async def test_each_has_its_own_time(ports: MemoryPorts, home: Home) -> None:
    first = await home.restarts.ask(What.HOST)
    await ports.clock.advance(REPORTED_WITHIN / 2)
    await home.restarts.report(first.id, ok=True)
    second = await home.restarts.ask(What.HOST)
    await ports.clock.advance(REPORTED_WITHIN / 2)
    assert told(home) == second
    await ports.clock.advance(REPORTED_WITHIN / 2)

    assert home.restarts.restart(second.id).state is State.TIMED_OUT


async def test_none_times_out_that_was_reported_when_nothing_else_is_wanted(ports: MemoryPorts, home: Home) -> None:
    first = await home.restarts.ask(What.HOST)
    await settled()
    await home.restarts.report(first.id, ok=True)
    await ports.clock.advance(REPORTED_WITHIN)

    assert home.restarts.restart(first.id).state is State.DONE


@pytest.mark.parametrize("trouble", [StoreUnavailable(), StoreFull()])
async def test_what_the_store_cannot_keep_is_not_so(
    ports: MemoryPorts, home: Home, trouble: StoreUnavailable | StoreFull
) -> None:
    ports.agent.trouble = trouble
    with pytest.raises(type(trouble)):
        await home.restarts.ask(What.HOST)
    assert told(home) is None
    ports.agent.trouble = None
    asked = await home.restarts.ask(What.HOST)
    ports.agent.trouble = trouble
    await ports.clock.advance(REPORTED_WITHIN)
    assert told(home) == asked
    ports.agent.trouble = None
    await ports.clock.advance(RETRY_AFTER)

    assert home.restarts.restart(asked.id).state is State.TIMED_OUT


async def test_after_a_power_cut_it_is_still_wanted_and_has_what_is_left_of_its_time(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        asked = await home.restarts.ask(What.HOST)
    await ports.clock.advance(REPORTED_WITHIN - 10)
    async with ports.running() as home:
        assert told(home) == asked
        await ports.clock.advance(10)

        assert home.restarts.restart(asked.id).state is State.TIMED_OUT


async def test_after_a_power_cut_that_took_the_clock_along_it_has_no_more_than_its_time(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        asked = await home.restarts.ask(What.HOST)
    ports.clock.leap(-400 * 86_400)
    async with ports.running() as home:
        await ports.clock.advance(REPORTED_WITHIN)

        assert home.restarts.restart(asked.id).state is State.TIMED_OUT


async def test_the_oldest_ends_are_forgotten(ports: MemoryPorts, home: Home) -> None:
    first = await home.restarts.ask(What.HOST)
    await home.restarts.report(first.id, ok=True)
    for _ in range(KEPT):
        asked = await home.restarts.ask(What.HOST)
        await home.restarts.report(asked.id, ok=True)

    with pytest.raises(NotFound):
        home.restarts.restart(first.id)
    assert len(await ports.agent.restarts()) == KEPT


async def test_a_home_without_a_store_for_it_remembers_a_restart_until_its_own_end(ports: MemoryPorts) -> None:
    restarts = Restarts(store=Forgetful(), clock=ports.clock, randomness=ports.randomness)
    await restarts.load()
    asked = await restarts.ask(What.STATION)

    assert restarts.pending == asked
