from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from station_core.agent.model import Restart, State
from station_core.audit.model import AGENT, DONE, STATION, SYSTEM, Action, Deed
from station_core.errors import Conflict, Malformed, NotFound, StoreFull, StoreUnavailable
from station_core.values import text_weight

if TYPE_CHECKING:
    from datetime import datetime

    from station_core.agent.model import What
    from station_core.agent.ports import AgentStore
    from station_core.audit.model import Actor
    from station_core.clock import Clock, Randomness
    from station_core.values import Value

log = logging.getLogger("station.agent")

REPORTED_WITHIN: Final = 600.0  # seconds from the wish to the agent's report: a host takes minutes
KEPT: Final = 50  # restarts whose end can still be asked for
ERROR_BOUND: Final = 500  # characters of what the agent says of a failure
RETRY_AFTER: Final = 2.0  # seconds, while the store can't be told that one has timed out


class Restarts:
    """
    What people want restarted and the agent restarts: it asks, for the station never calls it (docs/protocols.md §4).

    One at a time. Store first, with the deed of who wanted it, then memory: so one outlives the restart of what keeps
    it. Raises `StoreUnavailable` or `StoreFull` when it can't be kept now.
    """

    def __init__(self, *, store: AgentStore, clock: Clock, randomness: Randomness) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._known: dict[str, Restart] = {}
        self._pending: Restart | None = None
        self._over_at = 0.0  # monotonic
        self._is_pending = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Take what the store holds; one that is pending has what is left of its time."""
        self._known = {restart.id: restart for restart in await self._store.restarts()}
        self._await(next((one for one in self._known.values() if one.state is State.PENDING), None))

    @property
    def pending(self) -> Restart | None:
        """What the agent shall do."""
        return self._pending

    def restart(self, restart_id: str) -> Restart:
        """What became of it, or raise `NotFound`."""
        try:
            return self._known[restart_id]
        except KeyError:
            raise NotFound("There is no such restart.") from None

    async def ask(self, what: What, *, by: Actor = SYSTEM) -> Restart:
        """Want a restart; raise `Conflict` while another is pending."""
        async with self._one_at_a_time:
            if self._pending is not None:
                raise Conflict(f"Another restart ({self._pending.what}) is pending.")
            wanted = Restart(id=self._randomness.uuid(), what=what, asked_at=self._clock.now())
            oldest = list(self._known)[: max(0, len(self._known) - KEPT + 1)]
            deed = _deed(Action.RESTART_ASK, wanted, by=by, at=wanted.asked_at)
            await self._store.keep_restart(wanted, forget=oldest, deed=deed)
            for forgotten in oldest:
                del self._known[forgotten]
            self._take(wanted)
            return wanted

    async def report(self, restart_id: str, *, ok: bool, error: str | None = None) -> None:
        """
        The agent tells the end, late or not; the first report of it counts.

        Raise `NotFound`, or `Malformed` for an error that is no proper text of at most 500 characters.
        """
        text_weight(error or "")
        if len(error or "") > ERROR_BOUND:
            raise Malformed(f"An error has at most {ERROR_BOUND} characters.")
        async with self._one_at_a_time:
            known = self.restart(restart_id)
            if known.state in {State.DONE, State.FAILED}:
                return
            at = self._clock.now()
            ended = known.ended(State.DONE if ok else State.FAILED, at=at, error=None if ok else error)
            deed = _deed(Action.RESTART_REPORT, ended, by=AGENT, at=at)
            await self._store.keep_restart(ended, deed=deed)
            self._take(ended)

    async def run(self) -> None:
        """End what the agent doesn't report in time, until cancelled."""
        while True:
            await self._is_pending.wait()
            await self._clock.sleep(max(0.0, self._over_at - self._clock.monotonic()))
            try:
                await self._time_out()
            except (StoreUnavailable, StoreFull) as trouble:
                log.info("that a restart has timed out is kept later", extra={"reason": str(trouble)})
                await self._clock.sleep(RETRY_AFTER)

    async def _time_out(self) -> None:
        async with self._one_at_a_time:
            pending = self._pending
            if pending is None or self._clock.monotonic() < self._over_at:
                return  # it was reported meanwhile, and perhaps another is wanted
            at = self._clock.now()
            ended = pending.ended(State.TIMED_OUT, at=at)
            deed = _deed(Action.RESTART_REPORT, ended, by=SYSTEM, at=at)
            await self._store.keep_restart(ended, deed=deed)
            self._take(ended)
            log.warning("the agent has not reported in time", extra={"restart": ended.id, "what": ended.what.value})

    def _take(self, restart: Restart) -> None:
        self._known[restart.id] = restart
        if restart.state is State.PENDING or self._pending is None or restart.id == self._pending.id:
            self._await(restart if restart.state is State.PENDING else None)

    def _await(self, pending: Restart | None) -> None:
        self._pending = pending
        if pending is None:
            self._is_pending.clear()
            return
        # The wall clock may have been set meanwhile: never more than the whole time, and never less than nothing.
        age = (self._clock.now() - pending.asked_at).total_seconds()
        self._over_at = self._clock.monotonic() + min(max(0.0, REPORTED_WITHIN - age), REPORTED_WITHIN)
        self._is_pending.set()


def _deed(action: Action, restart: Restart, *, by: Actor, at: datetime) -> Deed:
    detail: dict[str, Value] = {"what": restart.what.value}
    if restart.error is not None:
        detail["error"] = restart.error
    result = DONE if restart.state in {State.PENDING, State.DONE} else restart.state.value
    return Deed(actor=by, action=action, subject=STATION, at=at, result=result, detail=detail)
