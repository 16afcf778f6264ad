"""
A message that waits, and how in overload a newer report goes into it; no I/O.

Nearly all reports of a device have the names and kinds of the one before it. Such a one takes the older one's place as
it is; only others are looked through and put together value by value.
"""

from __future__ import annotations

import zlib
from array import array
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from station_adapters.mqtt.payloads import decode_numbers, decode_plain
from station_core.values import MAX_KEYS, MAX_MESSAGE, object_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from station_adapters.mqtt.payloads import Numbers, Plain
    from station_adapters.mqtt.topics import Route
    from station_core.journal import Delivery

_TWO_BYTES: Final = "H"
_FOUR_BYTES: Final = "I"
_ABSENT: Final = object()
_NUMBERS: Final = frozenset({float, int})
_PLAIN: Final = _NUMBERS | {bool}


class Acknowledger(Protocol):
    """A connection, as far as acknowledging on it goes."""

    def acknowledge(self, packet_ids: list[int]) -> None:
        """Send PUBACKs; nothing once the connection has ended."""
        ...


class Message(msgspec.Struct, gc=False, eq=False):
    """
    A message that waits; *packet_id* is 0 at QoS 0. `followed_by` are the packet ids of those right behind it that
    don't wait themselves: they are acknowledged after it.

    `size` is what it counts for, in bytes. Only in overload its report is decoded ahead, of that `shape`, and takes in
    others; `weight` bounds its size in bytes of JSON then, 0 until it's asked for. `overtaken`: its device has said
    something else since.

    The collector of cycles doesn't look at it: thousands wait. Nothing that it holds leads back to it, but a connection
    that isn't over yet.
    """

    route: Route
    payload: bytes
    size: int
    packet_id: int
    flags: int
    came_by: Acknowledger
    report: dict[str, Any] | None = None
    shape: Shape | None = None
    weight: int = 0
    superseded: array[int] | None = None
    followed_by: array[int] | None = None
    overtaken: bool = False

    @property
    def delivery(self) -> Delivery:
        """What identifies it when it comes again, at QoS 1."""
        return self.packet_id, zlib.crc32(self.payload, self.route.check)

    @property
    def taken_in(self) -> Iterator[Delivery]:
        """What identifies those whose reports went into its own."""
        plain = self.superseded or array(_FOUR_BYTES)
        return zip(plain[::2], plain[1::2], strict=True)

    def take_in(self, payload: bytes, packet_id: int, check: int) -> None:
        """The report in this payload, of a topic with that *check*, went into its own."""
        # Plain numbers side by side: in overload there are ten thousands, and as objects they'd take ten times as much.
        if self.superseded is None:
            self.superseded = array(_FOUR_BYTES)
        self.superseded.append(packet_id)
        self.superseded.append(zlib.crc32(payload, check))

    def follow_with(self, packet_id: int) -> None:
        """One that doesn't wait itself is acknowledged after this, and after those that came before it."""
        if self.followed_by is None:
            self.followed_by = array(_TWO_BYTES)
        self.followed_by.append(packet_id)


class Shape:
    """
    The names of a report in their order, and which of its values are booleans.

    Raise `Malformed` for a report that no wire accepts.
    """

    __slots__ = ("_decode", "_flags", "_names")

    def __init__(self, report: dict[str, Any]) -> None:
        object_weight(report, 2)
        kinds = {*map(type, report.values())}
        self._names = list(report)
        self._flags = [name for name, value in report.items() if type(value) is bool]
        self._decode: Callable[[bytes], Numbers | Plain] | None = None
        if kinds <= _NUMBERS:
            self._decode = decode_numbers
        elif kinds <= _PLAIN:
            self._decode = decode_plain

    def read(self, payload: bytes, before: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """
        The report in the payload, None unless it has this shape and is acceptable; raise as `decode_state`.

        None also when a boolean differs from the one *before*, of this shape. No report has the shape of one with other
        values than numbers and booleans. 21 is as good as 21.5: much firmware writes a number that happens to be whole
        without its fraction.
        """
        if self._decode is None:
            return None
        try:
            report: dict[str, Any] = self._decode(payload).state
        except msgspec.ValidationError:
            return None
        if list(report) != self._names:
            return None
        if self._flags:
            if [*map(type, report.values())].count(bool) != len(self._flags):
                return None
            for name in self._flags:
                value = report[name]
                if type(value) is not bool or (before is not None and value is not before[name]):
                    return None
        return report


def merge(
    older: Message, before: dict[str, Any], report: dict[str, Any], fits: Callable[[dict[str, Any]], bool]
) -> bool:
    """
    Put any report into the older message's, *before*, if that may be and what comes of it *fits* its device's state:
    together they'd all be refused. Raise `Malformed` for what no wire accepts.
    """
    weight = (older.weight or object_weight(before, 2)) + object_weight(report, 2)
    for key, new in report.items():
        old = before.get(key, _ABSENT)
        may_flip = old is not new and (isinstance(old, bool) or isinstance(new, bool))
        if may_flip and (old is not _ABSENT or older.overtaken):
            return False
    merged = {**before, **report}
    if len(merged) > MAX_KEYS or (weight > MAX_MESSAGE and (weight := object_weight(merged, 2)) > MAX_MESSAGE):
        return False
    if not fits(merged):
        return False
    older.report, older.weight, older.shape = merged, weight, Shape(merged)
    return True
