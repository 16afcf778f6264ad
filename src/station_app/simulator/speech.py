"""
What a device wants of its driver, and the payloads that it sends (docs/protocols.md §1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_app.simulator.make import Make
    from station_core.values import Value


@dataclass(frozen=True, slots=True)
class Publish:
    """Send this; *suffix* is the part of the topic after the device's own, *topic* a whole one in its place."""

    suffix: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to the broker with this last will and subscribe; answer by `connected` or `disconnected`."""

    will: Publish


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Disconnect in order; there's no answer."""


@dataclass(frozen=True, slots=True)
class FactoryReset:
    """The device has forgotten network, station and token: this was its last word."""

    reason: str


Output: TypeAlias = Publish | Connect | Disconnect | FactoryReset


class Speech:
    """What a device of this make says; *session* is its present boot, which only newer firmware tells."""

    def __init__(self, make: Make) -> None:
        self._make = make

    def handshake(self, version: str, session: int) -> Publish:
        """Who it is; mind the mixed case of the keys."""
        content: dict[str, Value] = {"type": self._make.type, "firmwareVersion": version}
        if self._make.chip is not None:
            content["chip"] = self._make.chip
        if self._make.kit_tag is not None:
            content["kit_tag"] = self._make.kit_tag
        if self._make.newer:
            content |= {"session": session, "acks": True}
        return self._publish("handshake", content)

    def heartbeat(self, status: str, session: int) -> Publish:
        """That it's there, or (as a last will too) that it's gone."""
        content: dict[str, Value] = {"status": status}
        if self._make.newer:
            content["session"] = session
        return self._publish("heartbeat", content)

    def report(self, state: Mapping[str, Value]) -> Publish:
        """How some or all of its capabilities are."""
        return self._publish("state", {"state": dict(state)})

    def event(self, action: str) -> Publish:
        """Something that is no state: a button was pressed."""
        return self._publish("event", {"event": "device_event", "data": {"action": action}})

    def answer(self, command: Mapping[str, Value], error: str | None) -> list[Publish]:
        """The acknowledgement of a command, where firmware and sender know of such."""
        command_id = command.get("commandId")
        if not self._make.newer or not isinstance(command_id, str):
            return []
        content: dict[str, Value] = {"commandId": command_id, "status": "ok" if error is None else "rejected"}
        if error is not None:
            content["error"] = error
        return [self._publish("command/ack", content)]

    def _publish(self, suffix: str, content: Mapping[str, Value]) -> Publish:
        return Publish(suffix, msgspec.json.encode(content), self._make.qos)


def heard(payload: bytes) -> dict[str, Value]:
    """The JSON object that a message carries; empty when it carries none."""
    try:
        content = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
