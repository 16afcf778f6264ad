from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from station_adapters.mqtt.merging import Message, Shape, merge
from station_adapters.mqtt.packets import DUP
from station_adapters.mqtt.payloads import UNREADABLE, decode_state, read_state
from station_adapters.mqtt.topics import Suffix
from station_core.errors import Malformed
from station_core.values import MAX_MESSAGE

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from station_adapters.mqtt.merging import Acknowledger
    from station_adapters.mqtt.topics import Route

SHED_FROM: Final = 10_000  # waiting messages from which telemetry is superseded (docs/protocols.md §5)
FULL_AT: Final = 15_000  # waiting messages at which reading stops: what couldn't be superseded needs its place
READ_AGAIN_AT: Final = 5_000
BYTES: Final = 32 * 1024 * 1024  # of payloads that wait, at which reading stops: a house's messages are 100 bytes each
TURN: Final = 200  # messages handled before the loop gets to do other things
TURN_BYTES: Final = 64 * 1024  # of payloads, as well: the strangest take 0.25 microseconds a byte
_STATE: Final = Suffix.STATE  # to reach for an enum's member takes Python 3.11 as long as to find a route
_SUPERSEDED: Final = (_STATE, "superseded")
_HEARTBEAT: Final = Suffix.HEARTBEAT
_ONLINE: Final = b'"online"'
_OFFLINE: Final = b"offline"
_VERDICT_LATER: Final = (Malformed, *UNREADABLE)  # each gets its own, in its turn
SHAPES: Final = 10_000  # devices whose last shape is remembered while it sheds
SHAPED_UP_TO: Final = 512  # bytes of a report whose shape is: together some 10 MiB


class Intake:
    """
    The bounded queue between the socket and the services; *room* tells whether these can take another message, *fits*
    whether a device's state would take a report that is put together of several.

    From `SHED_FROM` on, a device's report is merged into its newest waiting one, unless a boolean differs between the
    two, or could flip ahead of what the device said in between; none goes ahead of a will. Everything else keeps its
    order and its place, and reading stops when that fills the queue too. *counts* gets each report that went into
    another, as (suffix, "superseded"). *on_shedding* is told when this begins and when it ends. `full`: the socket
    should not be read.
    """

    def __init__(
        self,
        *,
        handle: Callable[[Message], None],
        room: Callable[[], bool],
        fits: Callable[[str, dict[str, Any]], bool],
        soon: Callable[[Callable[[], None]], object],
        on_roomy: Callable[[], None],
        on_shedding: Callable[[bool], None],
        counts: Counter[tuple[str, str]],
    ) -> None:
        self._handle = handle
        self._room = room
        self._fits = fits
        self._soon = soon
        self._on_roomy = on_roomy
        self._on_shedding = on_shedding
        self._counts = counts
        self._waiting: deque[Message] = deque()
        self._newest: dict[str, Message] = {}  # by external id, only while shedding
        self._shapes: dict[str, Shape] = {}  # by external id, only while shedding
        self._shedding = False
        self._scheduled = False
        self._merged = 0  # since it was counted
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
        message = Message(route, payload, len(payload), packet_id, flags, came_by)
        self._waiting.append(message)
        self._bytes += message.size
        self.full = len(self._waiting) >= FULL_AT or self._bytes >= BYTES
        self._empty.clear()
        if self._shedding:
            self._follow(message)
        self.schedule()

    def follow_up(self, packet_id: int, came_by: Acknowledger) -> bool:
        """Have a message that doesn't wait itself acknowledged in its order (MQTT 5.0 §4.6), if any before it waits."""
        if not self._waiting or self._waiting[-1].came_by is not came_by:
            return False
        self._waiting[-1].follow_with(packet_id)
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
        if self._merged:
            self._counts[_SUPERSEDED] += self._merged
            self._merged = 0
        before = self._bytes
        for _ in range(min(TURN, len(self._waiting))):
            if not self._room():
                return  # `schedule` is called when there is room again
            if before - self._bytes >= TURN_BYTES:
                break
            message = self._waiting.popleft()
            self._bytes -= message.size
            if self._shedding and self._newest.get(message.route.external_id) is message:
                del self._newest[message.route.external_id]
            self._handle(message)
        self.full = len(self._waiting) >= FULL_AT or self._bytes >= BYTES
        if self._shedding and len(self._waiting) < SHED_FROM // 2:
            self._shedding = False
            self._on_shedding(False)
            self._newest.clear()
            self._shapes.clear()
        if not self._waiting:
            self._empty.set()
        if len(self._waiting) <= READ_AGAIN_AT and self._bytes <= BYTES // 2:
            self._on_roomy()
        self.schedule()

    def _begin_to_shed(self) -> None:
        self._shedding = True
        self._on_shedding(True)
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
            if message.route.suffix is _HEARTBEAT and _may_be_a_will(message.payload):
                del self._newest[device]  # who reports behind it is there again

    def _superseded(self, route: Route, payload: bytes, packet_id: int, flags: int, came_by: Acknowledger) -> bool:
        """Whether the report now waits inside its device's newest waiting one."""
        older = self._newest.get(route.external_id)
        if older is None or (flags | older.flags) & DUP or older.came_by is not came_by:
            return False
        if older.route is not route and older.route.station_id != route.station_id:
            return False  # the device is commanded under the one that it used last
        try:
            before, shape = older.report, older.shape
            if before is None or shape is None:
                before, shape = self._examine(older)
            if len(payload) > MAX_MESSAGE:
                return False
            report = shape.read(payload, before)
            if report is not None:
                older.report = report
            elif merge(older, before, decode_state(payload).state, partial(self._fits, route.external_id)):
                self._grew(older)
            else:
                return False
        except _VERDICT_LATER:
            return False
        if packet_id:
            older.take_in(payload, packet_id, route.check)
            self.follow_up(packet_id, came_by)
        self._merged += 1
        return True

    def _grew(self, message: Message) -> None:
        grown = max(0, message.weight - message.size)
        message.size += grown
        self._bytes += grown
        self.full = self.full or self._bytes >= BYTES

    def _examine(self, message: Message) -> tuple[dict[str, Any], Shape]:
        """Decode its report ahead; raise one of `_VERDICT_LATER`."""
        shape = self._shapes.get(message.route.external_id)  # nearly always that of its device's last one
        report = None if shape is None or len(message.payload) > MAX_MESSAGE else shape.read(message.payload)
        if shape is None or report is None:
            report = read_state(message.payload).state
            shape = Shape(report)
            if len(message.payload) <= SHAPED_UP_TO:
                if len(self._shapes) >= SHAPES:
                    self._shapes.clear()
                self._shapes[message.route.external_id] = shape
        message.report, message.shape = report, shape
        return report, shape


def _may_be_a_will(payload: bytes) -> bool:
    """Whether a heartbeat, which isn't decoded yet, may say offline: in plain letters or escaped."""
    return _ONLINE not in payload or _OFFLINE in payload or b"\\" in payload
