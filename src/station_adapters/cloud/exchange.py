from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from station_adapters.cloud.faults import INTERNAL, METHOD_NOT_FOUND, fault_of
from station_adapters.cloud.jsonrpc import LIMITS, Answer, HangUp, Peer, Plain, Request, Say
from station_adapters.cloud.outlet import Outlet
from station_core.errors import StationError, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from station_adapters.cloud.jsonrpc import Limits, Params
    from station_adapters.cloud.line import Method
    from station_adapters.cloud.once import Once
    from station_core.values import Value

log = logging.getLogger("station.cloud")

HANDLE_WITHIN: Final = 30.0  # seconds a method has


class Exchange:
    """
    What is said over one link in JSON-RPC, a `Line`: calls of the cloud run in *group*, those of ours wait here.

    Nothing is served before it's `open`. Time is told by `tick`.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        *,
        group: asyncio.TaskGroup,
        monotonic: Callable[[], float],
        unheard_of: Once,
        limits: Limits = LIMITS,
    ) -> None:
        self._methods = methods
        self._group = group
        self._unheard_of = unheard_of
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self.peer = Peer(monotonic, limits)
        self.outlet = Outlet()
        self.open = False

    def take(self, frame: str | bytes) -> Sequence[Plain | HangUp]:
        """Answer and serve what is JSON-RPC; what isn't is the caller's."""
        met: list[Plain | HangUp] = []
        for one in self.peer.receive(frame):
            if isinstance(one, Request):
                self._group.create_task(self._serve(one))
            elif isinstance(one, Answer):
                self._settle([one])
            elif isinstance(one, Say):
                self.outlet.put(one.frame)
            else:
                met.append(one)
        return met

    def tick(self) -> None:
        """Fail the calls that have waited long enough."""
        self._settle(self.peer.expired())

    def over(self) -> None:
        """The link has ended, and so have all calls."""
        self._settle(self.peer.over())

    async def room(self) -> None:
        """See `Line`."""
        await self.outlet.room()

    def notify(self, method: str, params: Any) -> None:
        """See `Line`."""
        self.outlet.put(self.peer.notify(method, params))

    async def delivered(self) -> None:
        """See `Line`."""
        await self.outlet.ping()

    async def call(self, method: str, params: Params = None, *, within: float = 10.0) -> Value:
        """See `Line`."""
        id_, frame = self.peer.call(method, params, within=within)
        self._asked[id_] = asyncio.get_running_loop().create_future()
        self.outlet.put(frame)
        try:
            answer = await self._asked[id_]
        finally:
            del self._asked[id_]
        if answer.error is not None:
            raise answer.error
        return answer.result

    def _settle(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            asked = self._asked.get(answer.id)
            if asked is not None and not asked.done():  # who asked may have been cancelled
                asked.set_result(answer)

    async def _serve(self, request: Request) -> None:
        try:
            frame = self.peer.reply(request, await self._result(request))
        except _MethodUnknown:
            frame = self.peer.refuse(request, METHOD_NOT_FOUND)
        except StationError as error:
            frame = self.peer.refuse(request, fault_of(error))
        except Exception:  # a bug in one method must not end the link; it's logged whole
            log.exception("a method failed", extra={"method": request.method})
            frame = self.peer.refuse(request, INTERNAL)
        if frame is not None:
            await self.outlet.room()
            self.outlet.put(frame)

    async def _result(self, request: Request) -> Any:
        if not self.open:
            raise Unauthenticated("The link isn't authenticated yet.")
        method = self._methods.get(request.method)
        if method is None:
            self._unheard_of.tell(request.method)
            raise _MethodUnknown
        try:
            async with asyncio.timeout(HANDLE_WITHIN):
                return await method(request.params)
        except TimeoutError:
            raise Unavailable("It took too long.") from None


class _MethodUnknown(Exception):  # a fact, not an error of anybody's
    """The station serves no such method."""
