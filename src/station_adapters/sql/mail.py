"""What the cloud is to hear of a batch of the journal, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from station_adapters.sql.content import to_json
from station_core.cloud.channels import EventChannel
from station_core.cloud.letters import letter
from station_core.devices.events import DeviceStateChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from station_core.cloud.letters import Letter
    from station_core.devices.model import Device
    from station_core.events import Event

LETTER_COLUMNS: Final = ("seq", "id", "rank", "channel", "method", "params", "size", "written_at")


class Mail:
    """
    Letters of the active channels, and of each device that reported the time of its newest state.

    A place is told by how many lines of the batch's come up to there.
    """

    def __init__(self, active: frozenset[EventChannel], instant: Callable[[datetime], object]) -> None:
        self._active = active
        self._instant = instant
        self._marks: dict[str, tuple[object, int]] = {}
        self.letters: list[tuple[object, ...]] = []

    def take(self, event: Event, event_id: str, lines: int) -> None:
        """An event that is the last of so many lines."""
        told = letter(event)
        if told is not None and told.channel in self._active:
            self.letters.append((lines, *letter_row(told, event_id, self._instant)))

    def take_silent(self, event: Event, lines: int) -> None:
        """An event that leaves no line, after so many."""
        if isinstance(event, DeviceStateChanged) and EventChannel.STATE in self._active:
            self._marks[event.device_id] = (self._instant(event.timestamp), lines)

    def marks(self, reported: Iterable[Device]) -> Sequence[tuple[object, int | None]]:
        """Of each of these the time of its newest state and its place; of one without news, None."""
        none = (None, None)
        return [self._marks.get(device.id, none) for device in reported]


def letter_row(told: Letter, event_id: str, instant: Callable[[datetime], object]) -> tuple[object, ...]:
    """A letter's row, after its seq: id, rank, channel, method, params, size, written at."""
    params = to_json(told.params)
    channel = None if told.channel is None else told.channel.value
    size = len(params.encode())
    return event_id, told.rank.value, channel, told.method, params, size, instant(told.written_at)
