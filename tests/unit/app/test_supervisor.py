from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import MemoryClock, settled
from station_app.supervisor import Supervisor
from station_core.errors import LinkDown, SettingInvalid
from station_core.events import EventBus
from station_core.health import Health

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Watch:
    """A supervisor on a clock that stands still."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.clock = MemoryClock()
        self.health = Health(EventBus(), self.clock)
        self.fatal = 0
        self.supervisor = Supervisor(group=group, health=self.health, clock=self.clock, on_fatal=self._on_fatal)

    def _on_fatal(self) -> None:
        self.fatal += 1


class Worker:
    """Fails as told, and counts its beginnings."""

    def __init__(self, *failures: Exception, lasting: float = 0.0, clock: MemoryClock | None = None) -> None:
        self.failures = list(failures)
        self.begun = 0
        self.lasting = lasting
        self.clock = clock

    async def run(self) -> None:
        self.begun += 1
        if self.clock is not None:
            await self.clock.sleep(self.lasting)
        if self.failures:
            raise self.failures.pop(0)
        await asyncio.Event().wait()


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    async with asyncio.TaskGroup() as group:
        watch = Watch(group)
        yield watch
        for name in ("worker", "other"):
            await watch.supervisor.end(name, within=1)


async def test_a_worker_that_fails_begins_again_later_each_time(watch: Watch) -> None:
    worker = Worker(*[LinkDown()] * 10)
    watch.supervisor.keep("worker", worker.run)
    await watch.clock.advance(0.13)
    soon = worker.begun
    await watch.clock.advance(1)
    later = worker.begun
    await watch.clock.advance(60)

    assert soon == 2
    assert 3 <= later <= 5
    assert worker.begun == 11


async def test_no_pause_is_longer_than_what_a_part_may_take_to_be_back(watch: Watch) -> None:
    begun: list[float] = []

    async def fail() -> None:
        begun.append(watch.clock.monotonic())
        raise LinkDown

    watch.supervisor.keep("worker", fail, part="mqtt")
    await watch.clock.advance(60)

    pauses = [after - before for before, after in pairwise(begun)]
    assert 1.6 <= max(pauses) <= 2.4  # two seconds, +-20 %


async def test_a_bug_in_one_worker_leaves_the_others_alone_and_is_logged_whole(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    worker, other = Worker(RuntimeError("a bug")), Worker()
    watch.supervisor.keep("worker", worker.run)
    watch.supervisor.keep("other", other.run)
    await watch.clock.advance(1)

    assert (worker.begun, other.begun) == (2, 1)
    assert [r.exc_info is not None for r in caplog.records if r.levelno == logging.ERROR] == [True]


async def test_a_loss_is_logged_once_however_often_it_is_retried(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.supervisor.keep("worker", Worker(*[LinkDown("refused")] * 5).run)
    await watch.clock.advance(60)

    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert said == ["worker begins again", "part is lost"]  # at its first failure, and when it counts as failing


async def test_what_no_retry_can_mend_is_remembered_and_ends_the_station(watch: Watch) -> None:
    worker = Worker(SettingInvalid("the port is taken"))
    watch.supervisor.keep("worker", worker.run)
    await watch.clock.advance(60)

    assert worker.begun == 1
    assert watch.fatal == 1
    assert str(watch.supervisor.fatal) == "the port is taken"


async def test_a_worker_that_fails_five_times_in_a_minute_is_told_in_the_health(watch: Watch) -> None:
    watch.supervisor.keep("worker", Worker(*[LinkDown("refused")] * 4).run)
    await watch.clock.advance(60)
    before = dict(watch.health.parts)
    watch.supervisor.keep("other", Worker(*[LinkDown("refused")] * 5).run)
    await watch.clock.advance(60)

    assert before == {}
    assert not watch.health.parts["other"].up
    assert "refused" in watch.health.parts["other"].detail


async def test_a_part_of_the_health_goes_down_with_its_worker(watch: Watch) -> None:
    watch.supervisor.keep("worker", Worker(LinkDown("refused")).run, part="mqtt")
    await settled()

    assert watch.health.parts["mqtt"].detail == "refused"


async def test_after_a_minute_of_running_the_back_off_begins_anew(watch: Watch) -> None:
    worker = Worker(*[LinkDown()] * 20)
    watch.supervisor.keep("worker", worker.run)
    await watch.clock.advance(20)
    worker.clock, worker.lasting = watch.clock, 61
    await watch.clock.advance(7)
    begun = worker.begun
    await watch.clock.advance(61.5)

    assert worker.begun == begun + 1


async def test_end_cancels_a_worker_and_waits_for_it(watch: Watch) -> None:
    ended = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    watch.supervisor.keep("worker", run)
    await settled()
    await watch.supervisor.end("worker", within=1)
    await watch.supervisor.end("nobody", within=1)

    assert ended.is_set()


async def test_a_bug_in_what_runs_once_ends_the_group() -> None:
    async def live() -> None:
        async with asyncio.TaskGroup() as group:
            Watch(group).supervisor.once("start", Worker(RuntimeError("a bug")).run)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup):
        await live()


async def test_what_runs_once_can_end_the_station(watch: Watch) -> None:
    watch.supervisor.once("worker", Worker(SettingInvalid("no such folder")).run)
    await settled()

    assert watch.fatal == 1


async def test_a_worker_that_lost_its_first_cancellation_is_asked_again(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("station_app.supervisor.ASKED_EVERY", 0.01)
    asked = 0

    async def run() -> None:
        nonlocal asked
        while asked < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked += 1

    watch.supervisor.keep("worker", run)
    await settled()
    await watch.supervisor.end("worker", within=5)

    assert asked == 2


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object]]:
    return [(r.getMessage(), vars(r)["reason"]) for r in caplog.records if r.levelno == logging.WARNING]


async def test_of_a_part_each_loss_is_logged_once_whatever_the_attempts_say(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.health.tell("mqtt", up=True)
    failures = [LinkDown("closed"), LinkDown("refused"), LinkDown("timed out")]
    watch.supervisor.keep("worker", Worker(*failures).run, part="mqtt")
    await watch.clock.advance(30)

    assert warnings(caplog) == [("part is lost", "closed")]


async def test_another_worker_of_a_lost_part_says_its_reason_once_in_each_outage(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(*[LinkDown("the port is taken")] * 3)
    watch.health.tell("mqtt", up=False, detail="closed")
    watch.supervisor.keep("worker", worker.run, part="mqtt")
    await watch.clock.advance(30)

    assert warnings(caplog) == [("part is lost", "closed"), ("worker begins again", "the port is taken")]


async def test_a_worker_that_was_told_as_failing_is_well_after_a_minute(watch: Watch) -> None:
    watch.supervisor.keep("worker", Worker(*[LinkDown("refused")] * 5).run)
    await watch.clock.advance(20)
    failing = watch.health.parts["worker"]
    await watch.clock.advance(61)

    assert not failing.up
    assert watch.health.parts["worker"].up
