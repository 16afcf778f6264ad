from __future__ import annotations

import uvloop

from station_adapters.system.clock import SystemClock


def test_under_uvloop_too_nobody_wakes_early() -> None:
    async def early() -> list[float]:
        clock, found = SystemClock(), []
        for seconds in (0.0004, 0.0011, 0.0016, 0.0024) * 5:
            begun = clock.monotonic()
            await clock.sleep(seconds)
            slept = clock.monotonic() - begun
            if slept < seconds:
                found.append(slept)
        return found

    assert uvloop.run(early()) == []
