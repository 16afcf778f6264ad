"""What a process takes of its machine, sampled, and whether that grows."""

from __future__ import annotations

import asyncio
import contextlib
import re
import statistics
import time
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import httpx
import psutil

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

SAMPLED_EVERY: Final = 10.0  # seconds
WARM_AFTER: Final = 300.0  # seconds of a process, in which the soak has each trouble befall it once
JUDGED_FROM: Final = 1_800.0  # seconds of a run; a shorter one says too little about its slope
SLOPE_BOUND: Final = 1.0  # MB an hour
BLOCKS_BOUND: Final = 10_000  # an hour: such a MB; what leaks into pages that a burst has left free shows here alone
GROWTH_BOUND: Final = 5  # descriptors, threads, tasks, or what waits
MB: Final = 1024 * 1024
COUNTED: Final = re.compile(r"^station_(tasks|intake_messages|journal_changes|memory_blocks) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    pid: int
    rss: float
    threads: int
    descriptors: int
    children: int
    cpu: float
    """Seconds since the process began."""
    tasks: int
    waiting: int
    """Messages and changes in its queues."""
    blocks: int
    """Of memory, that Python has in use."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the samples of one process come to, after it got warm."""

    samples: Sequence[Sample]

    @property
    def seconds(self) -> float:
        return self.samples[-1].at - self.samples[0].at

    @property
    def slope(self) -> float:
        """Of its memory, MB an hour."""
        return self.slope_of(lambda sample: sample.rss)

    @property
    def blocks_slope(self) -> float:
        """Of what lives in it, blocks an hour."""
        return self.slope_of(lambda sample: sample.blocks)

    def slope_of(self, figure: Callable[[Sample], float]) -> float:
        """
        An hour's growth: the median of the slopes between any two samples (Theil and Sen).

        A sample may fall into a login, which takes 64 MiB for a tenth of a second. By least squares such a one hides
        growth when it comes first, and is growth when it comes last.
        """
        pairs = combinations(self.samples, 2)
        return statistics.median((figure(b) - figure(a)) / (b.at - a.at) * 3_600 for a, b in pairs)

    @property
    def cpu(self) -> float:
        """The share of a core that it took."""
        return (self.samples[-1].cpu - self.samples[0].cpu) / self.seconds

    def growth(self, of: Callable[[Sample], float]) -> float:
        """By how much the last third's median is above the first third's."""
        third = max(1, len(self.samples) // 3)
        return statistics.median(map(of, self.samples[-third:])) - statistics.median(map(of, self.samples[:third]))

    def verdict(self, run: float) -> list[str]:
        """What is wrong with a run of so many seconds, a sentence each."""
        wrong = []
        if run >= JUDGED_FROM and self.slope >= SLOPE_BOUND:
            wrong.append(f"Its memory grows by {self.slope:.2f} MB an hour.")
        if run >= JUDGED_FROM and self.blocks_slope >= BLOCKS_BOUND:
            wrong.append(f"What lives in its memory grows by {self.blocks_slope:,.0f} blocks an hour.")
        for what, grown in self.growths().items():
            if grown > GROWTH_BOUND:
                wrong.append(f"Its {what} have grown by {grown:.0f}.")
        return wrong

    def growths(self) -> dict[str, float]:
        """By how much each of what is counted has grown."""
        return {
            "open descriptors": self.growth(lambda sample: sample.descriptors),
            "threads": self.growth(lambda sample: sample.threads),
            "tasks": self.growth(lambda sample: sample.tasks),
            "waiting messages and changes": self.growth(lambda sample: sample.waiting),
        }

    def __str__(self) -> str:
        rss = [sample.rss for sample in self.samples]
        return (
            f"over {self.seconds / 60:.1f} warm minutes of one process: memory {rss[0]:.1f} MB at first, "
            f"{rss[-1]:.1f} at last, {max(rss):.1f} at most, slope {self.slope:+.2f} MB an hour; "
            f"{self.samples[0].blocks:,} blocks in use at first, {self.samples[-1].blocks:,} at last, slope "
            f"{self.blocks_slope:+,.0f} an hour; "
            f"{', '.join(f'{what} {grown:+.0f}' for what, grown in self.growths().items())}; "
            f"at most {max(sample.descriptors for sample in self.samples)} descriptors, "
            f"{max(sample.threads for sample in self.samples)} threads, "
            f"{max(sample.children for sample in self.samples)} children, "
            f"{max(sample.tasks for sample in self.samples)} tasks, "
            f"{max(sample.waiting for sample in self.samples)} waiting; "
            f"{self.cpu:.1%} of a core"
        )


class Gauge:
    """Samples the process that *pid* names at the time; *figures* are its own, in Prometheus's format."""

    def __init__(self, pid: Callable[[], int], figures: Callable[[], Awaitable[str]]) -> None:
        self._pid = pid
        self._figures = figures
        self.samples: list[Sample] = []

    async def run(self, told: Callable[[Sample], None]) -> None:
        """Sample until cancelled."""
        while True:
            with contextlib.suppress(psutil.NoSuchProcess, httpx.HTTPError):  # it's being restarted
                self.samples.append(_sample(psutil.Process(self._pid()), await self._figures()))
                told(self.samples[-1])
            await asyncio.sleep(SAMPLED_EVERY)

    def reading(self) -> Reading:
        """Of the last process; in a short run its second half counts as warm."""
        samples = [sample for sample in self.samples if sample.pid == self.samples[-1].pid]
        warm = [sample for sample in samples if sample.at - samples[0].at >= WARM_AFTER]
        return Reading(max(warm, samples[len(samples) // 2 :], key=len))


def _sample(process: psutil.Process, figures: str) -> Sample:
    counted = {name: int(float(value)) for name, value in COUNTED.findall(figures)}
    times = process.cpu_times()
    return Sample(
        time.monotonic(),
        process.pid,
        process.memory_info().rss / MB,
        process.num_threads(),
        process.num_fds(),
        len(process.children(recursive=True)),
        times.user + times.system,
        counted["tasks"],
        counted["intake_messages"] + counted["journal_changes"],
        counted["memory_blocks"],
    )
