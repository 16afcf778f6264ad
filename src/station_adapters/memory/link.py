from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.devices.credentials import Account
    from station_core.errors import BrokerUnavailable, StationError
    from station_core.values import Value


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command that the broker has."""

    station_id: str
    external_id: str
    command: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class HandshakeAnswer:
    """What a device was told of itself."""

    station_id: str
    external_id: str
    known: bool


class MemoryLink:
    """A `DeviceLink` that remembers what it was given; `trouble` is raised by `send` and `clear` while it is set."""

    def __init__(self) -> None:
        self.commands: list[SentCommand] = []
        self.answers: list[HandshakeAnswer] = []
        self.cleared: list[tuple[str, str]] = []
        self.trouble: BrokerUnavailable | None = None

    async def send(self, station_id: str, external_id: str, command: Mapping[str, Value]) -> None:
        """See `DeviceLink`."""
        await asyncio.sleep(0)  # as in the device store
        if self.trouble is not None:
            raise self.trouble
        self.commands.append(SentCommand(station_id, external_id, command))

    def answer_handshake(self, station_id: str, external_id: str, *, known: bool) -> None:
        """See `DeviceLink`; while there's trouble the answer is lost."""
        if self.trouble is None:
            self.answers.append(HandshakeAnswer(station_id, external_id, known))

    async def clear(self, station_id: str, external_id: str) -> None:
        """See `DeviceLink`."""
        await asyncio.sleep(0)  # as in the device store
        if self.trouble is not None:
            raise self.trouble
        self.cleared.append((station_id, external_id))


class MemoryDoor:
    """A `BrokerDoor` that remembers whom it lets in; `trouble` is raised by `admit` while it is set."""

    def __init__(self) -> None:
        self.admitted: dict[str, str] = {}
        self.trouble: StationError | None = None

    def digest(self, token: str) -> str:
        """See `BrokerDoor`."""
        return hashlib.sha256(token.encode()).hexdigest()

    async def admit(self, accounts: Sequence[Account]) -> None:
        """See `BrokerDoor`."""
        await asyncio.sleep(0)  # as in the device store
        if self.trouble is not None:
            raise self.trouble
        self.admitted = {account.external_id: account.digest for account in accounts}
