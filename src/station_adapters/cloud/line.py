"""What those who serve the cloud see of the link; whatever runs over a link is cancelled at its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from station_adapters.cloud.frames import Order
from station_adapters.cloud.jsonrpc import Params

if TYPE_CHECKING:
    from station_core.values import Value


class Line(Protocol):
    """The link, once it's authenticated; what is sent goes in the order in which it was asked for."""

    async def room(self) -> None:
        """Return when not too much waits to be sent: who sends a lot asks this first."""
        ...

    def notify(self, method: str, params: Any) -> None:
        """Send a notification; *params* is what msgspec can encode. Never waits."""
        ...

    async def delivered(self) -> None:
        """Return when the cloud has certainly received all that was sent before: by a ping after it, and its pong."""
        ...

    async def call(self, method: str, params: Params = None, *, within: float = 10.0) -> Value:
        """What the cloud answers; raise `CloudRefused`, or `CloudUnavailable` when none comes *within* seconds."""
        ...


Method: TypeAlias = Callable[[Params], Awaitable[Any]]
"""
Serves a call: the result is what msgspec can encode; each `StationError` is answered by its code. Many run at once, and
each for at most 30 s.
"""
Obey: TypeAlias = Callable[[Order], Awaitable[None]]
"""
Obeys a plain message of an authenticated cloud, one at a time in their order. As they have no answer, one that was
received is obeyed also when its link has ended meanwhile, and again while it raises `StoreUnavailable` or `StoreFull`.
"""
Uplink: TypeAlias = Callable[[Line], Awaitable[None]]
"""Sends up what is to be sent, as long as a link is authenticated."""


async def nothing_to_send(line: Line) -> None:  # an `Uplink`
    """There's nothing to be told to the cloud."""


async def nothing_to_obey(order: Order) -> None:  # an `Obey`
    """Whatever the cloud says, nothing follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the station does for an authenticated cloud."""

    methods: Mapping[str, Method] = field(default_factory=dict)
    obey: Obey = nothing_to_obey
    uplink: Uplink = nothing_to_send
