from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from station_adapters.cloud.connection import CloudLinkDown, connected
from station_adapters.cloud.lane import Lane
from station_adapters.cloud.once import Once
from station_adapters.cloud.talk import Talk

if TYPE_CHECKING:
    import ssl

    from station_adapters.cloud.connection import Socket
    from station_adapters.cloud.line import Service
    from station_core.clock import Clock
    from station_core.cloud.claim import Claim
    from station_core.cloud.liaison import Liaison


@dataclass(slots=True)
class Oddities:
    """
    What the cloud has said that nothing follows from, over all links.

    *ignored*: plain messages out of their time or shape; *answers*: what `Peer` counts.
    """

    types: Once = field(default_factory=lambda: Once("the cloud sends a type that the station doesn't know"))
    methods: Once = field(default_factory=lambda: Once("the cloud calls a method that the station doesn't serve"))
    shapes: Once = field(default_factory=lambda: Once("the cloud sends a message of a shape that it can't have"))
    ignored: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)


class CloudLink:
    """The worker that holds the link with the cloud: never more than one, and never in anybody's way."""

    def __init__(
        self, *, url: str, tls: ssl.SSLContext | None, liaison: Liaison, claim: Claim, service: Service, clock: Clock
    ) -> None:
        self._url = url
        self._tls = tls
        self._liaison = liaison
        self._service = service
        self._clock = clock
        self.lane = Lane(obey=service.obey, claim=claim, clock=clock)
        self.oddities = Oddities()

    async def run(self) -> None:
        """Hold the link until cancelled, as the liaison says when."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.lane.run())
            while True:
                await self._liaison.due()
                try:
                    async with connected(self._url, self._tls) as socket:
                        await self._hold(socket)
                except CloudLinkDown as error:
                    self._liaison.failed(str(error))

    async def _hold(self, socket: Socket) -> None:
        """Until the connection has ended; nothing of its end gets out."""
        code, why = None, "The station ended the connection."
        try:
            async with asyncio.TaskGroup() as group:
                talk = Talk(
                    socket=socket,
                    group=group,
                    liaison=self._liaison,
                    service=self._service,
                    lane=self.lane,
                    clock=self._clock,
                    oddities=self.oddities,
                )
                await talk.run()
        except* CloudLinkDown as errors:
            # Several may notice at once; who has heard a code of the cloud knows best.
            ends = [error for error in errors.exceptions if isinstance(error, CloudLinkDown)]
            end = max(ends, key=lambda error: error.close_code is not None)
            code, why = end.close_code, str(end)
        finally:
            self._liaison.closed(code, why)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError  # a TaskGroup forgets one that comes together with an error
