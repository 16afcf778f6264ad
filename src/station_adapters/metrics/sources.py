"""Where the figures lie: what the collector needs of adapters that it doesn't know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.measures import Distribution


class Queue(Protocol):
    """Messages that wait."""

    @property
    def weight(self) -> int:
        """Their bytes."""
        ...

    def __len__(self) -> int: ...


class Inlet(Protocol):
    """What devices say."""

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """What became of the messages, by kind and outcome; "superseded" are those that overload merged."""
        ...

    @property
    def intake(self) -> Queue:
        """The queue between the socket and the services."""
        ...


class BrokerLink(Protocol):
    """The link to the broker."""

    @property
    def sessions(self) -> int:
        """How many there were, the present one included."""
        ...


class LiveStream(Protocol):
    """The live sockets."""

    @property
    def sockets(self) -> tuple[int, int]:
        """How many are open: those that have shown who they are, and those that haven't yet."""
        ...

    @property
    def dropped(self) -> int:
        """Events that came too fast to be told."""
        ...


class Answers(Protocol):
    """What was asked over HTTP."""

    @property
    def requests(self) -> Mapping[tuple[str, str, int], int]:
        """By route template, method and status."""
        ...

    @property
    def seconds(self) -> Mapping[tuple[str, str], Distribution]:
        """By route template and method."""
        ...


class Sized(Protocol):
    """The database."""

    async def size(self) -> int:
        """Its bytes; raise `StoreUnavailable`."""
        ...
