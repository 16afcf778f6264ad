from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from station_core.cloud.model import ClaimCode
from station_core.cloud.session import ForgetToken, KeepToken, Reconnect, Session
from station_core.cloud.status import Mode
from station_core.errors import ClaimSealed, Malformed, Stale, StoreFull, StoreUnavailable
from station_core.health import CLOUD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from station_core.clock import Clock
    from station_core.cloud.claim import Claim
    from station_core.cloud.model import Standing
    from station_core.cloud.session import Order, Step
    from station_core.cloud.status import CloudBoard
    from station_core.health import Health

log = logging.getLogger("station.cloud")

STORE_BACK_OFF: Final = (1.0, 30.0)  # seconds between attempts to keep what the cloud has said: first, longest
_DETAILS: Final = {
    Mode.UNCLAIMED: "Not connected to the cloud.",
    Mode.WAITING: "Nobody has claimed the station: `station claim` shows how.",
    Mode.CLAIMED: "Not connected to the cloud.",
    Mode.AUTHENTICATING: "The cloud is asked whether it knows the station.",
    Mode.REFUSED: "The cloud doesn't know the station any more; all is kept, and it's asked again later.",
    Mode.RESET: "The station is being reset.",
}


class Liaison:
    """
    Keeps the session with the cloud, for whoever holds the connection: `due`, then `connected` or `failed`, then what
    comes, then `closed`, and again. Each answers what the connection is to do, in order.

    *verified*: whether it's certain that the other end is the cloud. *luck* is a random number from 0 to 1.
    """

    def __init__(
        self,
        *,
        claim: Claim,
        board: CloudBoard,
        health: Health,
        clock: Clock,
        luck: Callable[[], float],
        verified: bool,
    ) -> None:
        self._claim = claim
        self._board = board
        self._health = health
        self._clock = clock
        self._luck = luck
        self._verified = verified
        self._session = Session()
        self._by: Standing | None = None
        self._unsettled: KeepToken | ForgetToken | None = None
        self._next = 0.0
        self._connections = 0
        self._told: str | None = None

    @property
    def mode(self) -> Mode:
        """Where the link is."""
        return self._session.mode

    @property
    def by(self) -> Standing:
        """How the station stands with the cloud, as this connection takes it."""
        assert self._by is not None, "An attempt is due first."
        return self._by

    @property
    def code(self) -> ClaimCode:
        """By what the station may be claimed over this connection."""
        return ClaimCode(chip_id=self._claim.code.chip_id, claim_secret=self.by.claim_secret)

    @property
    def token(self) -> str:
        """By what the cloud knows the station."""
        assert self.by.config is not None, "Only who was claimed authenticates."
        return self.by.config.station_token

    async def due(self) -> None:
        """Return when a connection is to be opened; what the cloud wanted kept or forgotten is so by then."""
        if self._by is None:
            self._health.expect(CLOUD, _DETAILS[Mode.UNCLAIMED])
            self._by = self._claim.standing
            self._take(self._session.started(claimed=self._by.claimed_at is not None, luck=self._luck()))
            if self._claim.sealed:
                self.failed(ClaimSealed.fact)
        while True:
            await self._settle()
            if self._by is not self._claim.standing or self._claim.standing.unreset:
                self._turn()
            wait = self._next - self._clock.monotonic()
            if self.mode is Mode.RESET or self.by.sealed is not None:
                await self._claim.changed(self._by)
            elif wait <= 0:
                return
            else:
                await self._sleep(wait)

    def connected(self) -> Sequence[Order]:
        """There's a connection."""
        self._board.connected_since = self._clock.now()
        self._board.reconnects = self._connections
        self._connections += 1
        return self._take(self._session.connected(at=self._clock.monotonic()))

    def claim_succeeded(self, token: str) -> Sequence[Order]:
        """Somebody has claimed the station."""
        return self._take(self._session.claim_succeeded(token))

    def accepted(self) -> Sequence[Order]:
        """The cloud knows the token."""
        return self._take(self._session.accepted(at=self._clock.monotonic()))

    def denied(self, code: str) -> Sequence[Order]:
        """The cloud doesn't accept the token."""
        return self._take(self._session.denied(code, verified=self._verified))

    def ticked(self) -> Sequence[Order]:
        """A second or so has gone by."""
        return self._take(self._session.ticked(at=self._clock.monotonic()))

    async def overtaken(self) -> Sequence[Order]:
        """Wait until somebody else than the cloud has changed who has claimed the station."""
        await self._claim.changed(self.by)
        return self._turn()

    def failed(self, why: str) -> None:
        """No connection came about."""
        self._take(self._session.failed(why, luck=self._luck()))

    def closed(self, code: int | None, why: str) -> None:
        """The connection has ended; *code* is what the cloud closed it with."""
        self._board.connected_since = None
        self._take(self._session.closed(code, why, at=self._clock.monotonic(), luck=self._luck()))

    def _take(self, step: Step) -> Sequence[Order]:
        before, (self._session, orders) = self._session, step
        for order in orders:
            if isinstance(order, Reconnect):
                self._next = self._clock.monotonic() + order.after
            elif isinstance(order, KeepToken | ForgetToken):
                self._unsettled = order
        self._tell(before)
        return [order for order in orders if not isinstance(order, Reconnect | KeepToken | ForgetToken)]

    def _tell(self, before: Session) -> None:
        mode, error = self._session.mode, self._session.error
        self._board.turn(mode)
        self._board.last_error = error
        if mode is Mode.AUTHENTICATED:
            self._told = None
            self._health.tell(CLOUD, up=True)
            return
        self._health.tell(CLOUD, up=False, detail=_DETAILS[mode] if error is None else f"{_DETAILS[mode]} {error}")
        if error not in {None, self._told} and before.mode is not Mode.AUTHENTICATED:  # then the health tells it
            level = (
                logging.INFO if mode is Mode.UNCLAIMED else logging.WARNING
            )  # nobody misses one that has no part yet
            log.log(level, "the cloud is away", extra={"reason": error, "mode": mode.value})
        self._told = error

    def _turn(self) -> Sequence[Order]:
        self._by = standing = self._claim.standing
        self._unsettled = None  # it was about how the station stood before
        return self._take(
            self._session.reset() if standing.unreset else self._session.turned(claimed=standing.config is not None)
        )

    async def _settle(self) -> None:
        """Keep or forget what the cloud has said, however long the store is away."""
        pause, longest = STORE_BACK_OFF
        while (order := self._unsettled) is not None and self._claim.standing is self.by:
            try:
                await self._carry_out(order)
            except (StoreUnavailable, StoreFull) as error:
                self._health.tell(CLOUD, up=False, detail=str(error))
                await self._sleep(pause)
                pause = min(pause * 2, longest)
            except (Stale, Malformed):
                self._turn()
                self._take(self._session.failed("The claim didn't hold.", luck=self._luck()))

    async def _carry_out(self, order: KeepToken | ForgetToken) -> None:
        if isinstance(order, KeepToken):
            self._by = await self._claim.claimed(order.token, by=self.by)
            log.info("the station was claimed")
        elif self.by.config is not None:
            self._by = await self._claim.forget(self.by.config)
            log.warning("the cloud has let the station go: it has to be claimed again; all else stays")
        self._unsettled = None

    async def _sleep(self, seconds: float) -> None:
        """Until that time, or until somebody changes who has claimed the station."""
        async with asyncio.TaskGroup() as group:
            waiting = {
                group.create_task(self._clock.sleep(seconds)),
                group.create_task(self._changed()),
            }
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()

    async def _changed(self) -> None:
        await self._claim.changed(self.by)
