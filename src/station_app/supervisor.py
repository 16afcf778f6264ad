from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import TYPE_CHECKING, Final

from station_core.errors import SettingInvalid, StationError, StoreTaken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from station_core.clock import Clock
    from station_core.health import Health

log = logging.getLogger("station.supervisor")

BACK_OFF: Final = (0.1, 2.0)  # seconds before a worker begins again: first, longest; ±20 %; a part is back within 5
STABLE_AFTER: Final = 60.0  # seconds of running after which the back-off begins anew
FAILING: Final = (5, 60.0)  # failures within seconds that are told on /health/ready (decision 10)
ASKED_EVERY: Final = 0.5  # seconds between two requests to end
FATAL: Final = (SettingInvalid, StoreTaken)


class Supervisor:
    """
    Keeps workers: begins them again when they fail, later each time, and never lets one take the others down.

    A failure that no retry can mend (`FATAL`) is remembered in `fatal` and ends the station: *on_fatal* is called.
    """

    def __init__(self, *, group: asyncio.TaskGroup, health: Health, clock: Clock, on_fatal: Callable[[], None]) -> None:
        self._group = group
        self._health = health
        self._clock = clock
        self._on_fatal = on_fatal
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.fatal: StationError | None = None

    def keep(self, name: str, run: Callable[[], Awaitable[None]], *, part: str | None = None) -> None:
        """Run *run* again and again; *part* is the part of the station's health that is down when it fails."""
        self._tasks[name] = self._group.create_task(self._keep(name, run, part), name=name)

    def once(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run *run* once; a failure that isn't `FATAL` is a bug and ends the group."""
        self._tasks[name] = self._group.create_task(self._once(run), name=name)

    async def end(self, name: str, *, within: float) -> None:
        """Cancel a worker and wait for its end, but no longer than *within* seconds; none of this name is no error."""
        task = self._tasks.pop(name, None)
        if task is None:
            return
        deadline = asyncio.get_running_loop().time() + within
        while not task.done():
            task.cancel()  # again and again: a library may lose one cancellation, as asyncio.wait_for did before 3.12
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                log.error("worker doesn't end", extra={"worker": name, "seconds": within})
                return
            await asyncio.wait([task], timeout=min(left, ASKED_EVERY))

    async def _once(self, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except FATAL as error:
            self.fatal = error
            self._on_fatal()

    async def _run(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run it; one that was told as failing is told as well again once it has run for `STABLE_AFTER`."""
        ill = name in self._health.parts and not self._health.parts[name].up
        recovering = self._group.create_task(self._recover(name)) if ill else None
        try:
            await run()
        finally:
            if recovering is not None:
                recovering.cancel()

    async def _recover(self, name: str) -> None:
        await self._clock.sleep(STABLE_AFTER)
        self._health.tell(name, up=True)

    def _lose(self, name: str, part: str, failure: Exception, outage: datetime | None) -> datetime:
        """
        Tell that a part is down, and return since when; the health logs that.

        When another worker had lost the part before, this one's reason is logged too, once in the part's absence.
        """
        before = self._health.parts.get(part)
        self._health.tell(part, up=False, detail=str(failure))
        since = self._health.parts[part].since
        if outage != since and before is not None and not before.up and before.detail != str(failure):
            log.warning("worker begins again", extra={"worker": name, "reason": str(failure)})
        return since

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]], part: str | None) -> None:
        first, longest = BACK_OFF
        pause = first
        failures: deque[float] = deque(maxlen=FAILING[0])
        told: tuple[type[Exception], str] | None = None
        outage: datetime | None = None
        while True:
            began = self._clock.monotonic()
            try:
                await (run() if part is not None else self._run(name, run))
            except FATAL as error:
                self.fatal = error
                self._on_fatal()
                return
            except StationError as error:
                failure: Exception = error
            except Exception as error:  # a bug in one worker must not end the others; it's logged whole
                failure = error
                log.exception("worker failed", extra={"worker": name})
            else:
                return
            now = self._clock.monotonic()
            if now - began >= STABLE_AFTER:
                pause, told = first, None
            self._health.restarts[name] += 1
            failures.append(now)
            if part is not None:
                outage = self._lose(name, part, failure, outage)
            elif told != (told := (type(failure), str(failure))):  # once on loss, not on each attempt
                log.warning("worker begins again", extra={"worker": name, "reason": str(failure)})
            if part is None and len(failures) == FAILING[0] and now - failures[0] <= FAILING[1]:
                self._health.tell(name, up=False, detail=f"fails again and again: {failure}")
            await self._clock.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # spreads, protects nothing
            pause = min(pause * 2, longest)
