from __future__ import annotations

import asyncio
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from station_adapters.mqtt.packets import DUP
from station_adapters.mqtt.payloads import UNREADABLE, decode_state, read_state
from station_adapters.mqtt.topics import Suffix
from station_core.errors import Malformed
from station_core.values import INT_BOUND, MAX_KEYS, MAX_MESSAGE, object_weight

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from station_adapters.mqtt.topics import Route
    from station_core.journal import Delivery

SHED_FROM: Final = 10_000  # waiting messages from which telemetry is superseded (docs/protocols.md §5)
FULL_AT: Final = 15_000  # waiting messages at which reading stops: what couldn't be superseded needs its place
READ_AGAIN_AT: Final = 5_000
BYTES: Final = 32 * 1024 * 1024  # of payloads that wait, at which reading stops: a house's messages are 100 bytes each
TURN: Final = 200  # messages handled before the loop gets to do other things
_STATE: Final = Suffix.STATE  # to reach for an enum's member takes Python 3.11 as long as to find a route
_SUPERSEDED: Final = (_STATE, "superseded")
_HEARTBEAT: Final = Suffix.HEARTBEAT
_ONLINE: Final = b'"online"'
_ABSENT: Final = object()
_PLAIN: Final = frozenset({float, int, bool})


class Acknowledger(Protocol):
    """A connection, as far as acknowledging on it goes."""

    def acknowledge(self, packet_ids: list[int]) -> None:
        """Send PUBACKs; nothing once the connection has ended."""
        ...


class Message:
    """
    A message that waits; *packet_id* is 0 at QoS 0. `followed_by` are the packet ids of those right behind it that
    don't wait themselves: they are acknowledged after it.

    Only in overload its report is decoded ahead, and takes in others: `weight` bounds its size in bytes of JSON then;
    `names`, None unless all values are numbers and booleans, `kinds` and `checked` are its shape. `overtaken`: its
    device has said something else since.
    """

    __slots__ = (
        "came_by",
        "checked",
        "flags",
        "followed_by",
        "kinds",
        "names",
        "overtaken",
        "packet_id",
        "payload",
        "report",
        "route",
        "superseded",
        "weight",
    )

    def __init__(self, route: Route, payload: bytes, packet_id: int, flags: int, came_by: Acknowledger) -> None:
        self.route = route
        self.payload = payload
        self.packet_id = packet_id
        self.flags = flags
        self.came_by = came_by
        self.report: dict[str, Any] | None = None
        self.weight = 0
        self.superseded: list[Delivery] | None = None
        self.followed_by: list[int] | None = None
        self.overtaken = False
        self.names: list[str] | None = None

    def become(self, report: dict[str, Any], weight: int) -> None:
        """Stand for this report, of so many bytes."""
        self.report, self.weight = report, weight
        self.kinds = [*map(type, report.values())]
        self.names = list(report) if _PLAIN.issuperset(self.kinds) else None
        self.checked = [name for name, kind in zip(report, self.kinds, strict=True) if kind is not float]

    @property
    def delivery(self) -> Delivery:
        """What identifies it when it comes again, at QoS 1."""
        return self.packet_id, zlib.crc32(self.payload, self.route.check)


class Intake:
    """
    The bounded queue between the socket and the services; *room* tells whether these can take another message.

    From `SHED_FROM` on, a device's report is merged into its newest waiting one, unless a boolean differs between the
    two, or could flip ahead of what the device said in between; none goes ahead of a will. Everything else keeps its
    order and its place, and reading stops when that fills the queue too. *counts* gets each report that went into
    another, as (suffix, "superseded"). `full`: the socket should not be read.
    """

    def __init__(
        self,
        *,
        handle: Callable[[Message], None],
        room: Callable[[], bool],
        soon: Callable[[Callable[[], None]], object],
        on_roomy: Callable[[], None],
        counts: Counter[tuple[str, str]],
    ) -> None:
        self._handle = handle
        self._room = room
        self._soon = soon
        self._on_roomy = on_roomy
        self._counts = counts
        self._waiting: deque[Message] = deque()
        self._newest: dict[str, Message] = {}  # by external id, only while shedding
        self._shedding = False
        self._scheduled = False
        self._bytes = 0
        self.full = False
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def weight(self) -> int:
        """Bytes of payloads that wait."""
        return self._bytes

    def offer(self, route: Route, payload: bytes, packet_id: int, flags: int, came_by: Acknowledger) -> None:
        """Take a message in; it's handled in a later turn of the loop."""
        if len(self._waiting) >= SHED_FROM:
            if not self._shedding:
                self._begin_to_shed()
            if route.suffix is _STATE and self._superseded(route, payload, packet_id, flags, came_by):
                return
        message = Message(route, payload, packet_id, flags, came_by)
        self._waiting.append(message)
        self._bytes += len(payload)
        self.full = len(self._waiting) >= FULL_AT or self._bytes >= BYTES
        self._empty.clear()
        if self._shedding:
            self._follow(message)
        self.schedule()

    def follow_up(self, packet_id: int, came_by: Acknowledger) -> bool:
        """Have a message that doesn't wait itself acknowledged in its order (MQTT 5.0 §4.6), if any before it waits."""
        if not self._waiting or self._waiting[-1].came_by is not came_by:
            return False
        ahead = self._waiting[-1]
        if ahead.followed_by is None:
            ahead.followed_by = []
        ahead.followed_by.append(packet_id)
        return True

    async def drained(self) -> None:
        """Return when nothing waits."""
        await self._empty.wait()

    def schedule(self) -> None:
        """Handle what waits, soon."""
        if not self._scheduled and self._waiting:
            self._scheduled = True
            self._soon(self._turn)

    def forget_packet_ids(self) -> None:
        """What waits came in a session that is over: its packet ids mean nothing any more."""
        for message in self._waiting:
            message.packet_id = 0
            message.superseded = None
            message.followed_by = None

    def _turn(self) -> None:
        self._scheduled = False
        for _ in range(min(TURN, len(self._waiting))):
            if not self._room():
                return  # `schedule` is called when there is room again
            message = self._waiting.popleft()
            self._bytes -= len(message.payload)
            if self._shedding and self._newest.get(message.route.external_id) is message:
                del self._newest[message.route.external_id]
            self._handle(message)
        self.full = len(self._waiting) >= FULL_AT or self._bytes >= BYTES
        if self._shedding and len(self._waiting) < SHED_FROM // 2:
            self._shedding = False
            self._newest.clear()
        if not self._waiting:
            self._empty.set()
        if len(self._waiting) <= READ_AGAIN_AT and self._bytes <= BYTES // 2:
            self._on_roomy()
        self.schedule()

    def _begin_to_shed(self) -> None:
        self._shedding = True
        self._newest = {}
        for message in self._waiting:
            self._follow(message)

    def _follow(self, message: Message) -> None:
        """Note what this one, the newest that waits, means for those that come."""
        device = message.route.external_id
        if message.route.suffix is _STATE:
            self._newest[device] = message
        elif (older := self._newest.get(device)) is not None:
            older.overtaken = True
            if message.route.suffix is _HEARTBEAT and _ONLINE not in message.payload:
                del self._newest[device]  # perhaps a will: who reports behind it is there again

    def _superseded(self, route: Route, payload: bytes, packet_id: int, flags: int, came_by: Acknowledger) -> bool:
        """Whether the report now waits inside its device's newest waiting one."""
        older = self._newest.get(route.external_id)
        if older is None or (flags | older.flags) & DUP or older.came_by is not came_by:
            return False
        if older.route is not route and older.route.station_id != route.station_id:
            return False  # the device is commanded under the one that it used last
        try:
            if older.report is None:
                state = read_state(older.payload).state
                older.become(state, object_weight(state, 2))
            if len(payload) > MAX_MESSAGE or not _merged(older, decode_state(payload).state):
                return False
        except (Malformed, *UNREADABLE):
            return False  # each gets its own verdict in its turn
        if packet_id:
            if older.superseded is None:
                older.superseded = []
            older.superseded.append((packet_id, zlib.crc32(payload, route.check)))
            self.follow_up(packet_id, came_by)
        self._counts[_SUPERSEDED] += 1
        return True


def _merged(older: Message, report: dict[str, Any]) -> bool:
    """Whether the report could be merged into the older one's; raise `Malformed` for what no wire accepts."""
    before = older.report
    assert before is not None
    if list(report) == older.names and [*map(type, report.values())] == older.kinds:
        # As most reports by far. A float is as good as the one before it: none is infinite in JSON.
        for name in older.checked:
            new = report[name]
            if new is not before[name] and (type(new) is bool or not -INT_BOUND < new < INT_BOUND):
                return False
        older.report = report
        return True
    weight = older.weight + object_weight(report, 2)
    for key, new in report.items():
        old = before.get(key, _ABSENT)
        may_flip = old is not new and (isinstance(old, bool) or isinstance(new, bool))
        if may_flip and (old is not _ABSENT or older.overtaken):
            return False
    merged = {**before, **report}
    if len(merged) > MAX_KEYS or (weight > MAX_MESSAGE and (weight := object_weight(merged, 2)) > MAX_MESSAGE):
        return False
    older.become(merged, weight)
    return True
