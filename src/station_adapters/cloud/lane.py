from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from station_core.errors import StationError, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from station_adapters.cloud.frames import Order
    from station_adapters.cloud.line import Obey
    from station_core.clock import Clock
    from station_core.cloud.claim import Claim
    from station_core.cloud.model import Standing

log = logging.getLogger("station.cloud")

WAITING: Final = 256  # plain messages; beyond that the link isn't read
STORE_BACK_OFF: Final = (1.0, 30.0)  # seconds between attempts: first, longest


class Lane:
    """
    Obeys the plain messages of the cloud one after the other, over the ends of links: they have no answer by which the
    cloud would know that one was lost.

    What a cloud said that has nothing to say any more, because the station was unclaimed since, isn't obeyed.
    `counts`: obeyed, and refused by the code.
    """

    def __init__(self, *, obey: Obey, claim: Claim, clock: Clock) -> None:
        self._obey = obey
        self._claim = claim
        self._clock = clock
        self._waiting: asyncio.Queue[tuple[Standing, Order]] = asyncio.Queue(WAITING)
        self.counts: Counter[str] = Counter()

    async def put(self, order: Order, *, by: Standing) -> None:
        """Obey it after all others; waits while too many wait."""
        await self._waiting.put((by, order))

    async def run(self) -> None:
        """Obey until cancelled."""
        while True:
            by, order = await self._waiting.get()
            pause, longest = STORE_BACK_OFF
            while self._claim.standing.config is by.config and not await self._done(order):
                await self._clock.sleep(pause)
                pause = min(pause * 2, longest)

    async def _done(self, order: Order) -> bool:
        kind = type(order).__name__
        try:
            await self._obey(order)
        except (StoreUnavailable, StoreFull) as error:
            log.warning("a message of the cloud waits for the store", extra={"kind": kind, "reason": str(error)})
            return False
        except StationError as error:
            self.counts[error.code] += 1
            log.warning("a message of the cloud is refused", extra={"kind": kind, "reason": str(error)})
        except Exception:  # a bug in one message must not stop the others; it's logged whole
            self.counts["failed"] += 1
            log.exception("a message of the cloud failed", extra={"kind": kind})
        else:
            self.counts["obeyed"] += 1
        return True
