from __future__ import annotations

import asyncio
import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from station_adapters.mqtt.intake import Intake
from station_adapters.mqtt.packets import DUP, RETAIN
from station_adapters.mqtt.payloads import read_event, read_handshake, read_heartbeat, read_state
from station_adapters.mqtt.topics import Routes, Suffix
from station_core.errors import DeviceUnknown, Malformed
from station_core.health import MQTT

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_adapters.mqtt.merging import Acknowledger, Message
    from station_core.devices.ports import DeviceChange
    from station_core.home import Home
    from station_core.journal import Batch, Delivery

log = logging.getLogger("station.mqtt")

_ACCEPTED: Final = {suffix: (suffix, "accepted") for suffix in Suffix}
_DROPPED: Final = "message dropped; the next ones like it are only counted"
TOLD_OF: Final = 10_000  # pairs of device and kind that were logged; beyond, rejections are only counted


class Inbound:
    """
    What devices say, from the socket to the services: nothing is awaited, everything is bounded.

    A QoS 1 message is acknowledged on the connection that brought it, after the commit that holds its effect, in order.
    `counts` tells of each message what became of it, once, by suffix and outcome.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._routes = Routes()
        self._intake: Intake | None = None
        self._told: set[tuple[str, str]] = set()
        self._bugs: set[tuple[Suffix, type[Exception]]] = set()
        self._acks: tuple[Batch[DeviceChange], Acknowledger, list[int]] | None = None
        self._on_roomy: Callable[[], None] = _nobody_waits
        self._handlers = {
            Suffix.STATE: self._state,
            Suffix.EVENT: self._event,
            Suffix.HEARTBEAT: self._heartbeat,
            Suffix.HANDSHAKE: self._handshake,
        }
        self.counts: Counter[tuple[str, str]] = Counter()

    @property
    def intake(self) -> Intake:
        """The queue; it belongs to the running loop."""
        if self._intake is None:
            self._intake = Intake(
                handle=self._handle,
                room=self._room,
                fits=self._home.devices.fits,
                soon=asyncio.get_running_loop().call_soon,
                on_roomy=self._roomy,
                on_shedding=self._shedding,
                counts=self.counts,
            )
        return self._intake

    def begun_anew(self) -> None:
        """The broker had no session of ours: it brings nothing again, and numbers from the start."""
        self._home.journal.forget_deliveries()
        self.intake.forget_packet_ids()

    def connected(self, on_roomy: Callable[[], None]) -> None:
        """There is a new connection; *on_roomy* is called, again and again, while the intake has room."""
        self._on_roomy = on_roomy
        if not self.intake.full:
            on_roomy()  # what the broker brought before this may have stopped the reading, and found room meanwhile

    def hears(self) -> None:
        """What devices say comes in now."""
        self._home.presence.hearing()
        self._home.health.tell(MQTT, up=True)

    async def drained(self) -> None:
        """Return when all that was read has been handed to the services."""
        await self.intake.drained()

    def deaf(self) -> None:
        """The socket isn't read: silence says nothing."""
        self._home.presence.deafened()

    def lost(self, why: str = "not connected to the broker") -> None:
        """The connection has ended."""
        self._on_roomy = _nobody_waits
        self.deaf()
        self._home.health.tell(MQTT, up=False, detail=why)

    def offer(self, topic: bytes, payload: bytes, packet_id: int, flags: int, came_by: Acknowledger) -> None:
        """Take a message from the socket; *packet_id* is 0 at QoS 0."""
        try:
            route = self._routes[topic]
        except Malformed as error:
            self._reject("topic", "malformed", topic[:200].decode(errors="replace"), str(error))
        else:
            if not flags & RETAIN:
                intake = self.intake if self._intake is None else self._intake
                intake.offer(route, payload, packet_id, flags, came_by)
                return
            self._reject(route.suffix, "retained", route.external_id, "Retained messages are ignored.")
        if packet_id and not self.intake.follow_up(packet_id, came_by):
            self._acknowledge(self._home.journal.pass_by(), packet_id, came_by)

    def _roomy(self) -> None:
        self._on_roomy()

    def _shedding(self, shedding: bool) -> None:  # noqa: FBT001  # a callback's
        self._home.journal.crowded = shedding

    def _room(self) -> bool:
        if self._home.journal.full:
            self._home.journal.when_roomy(self.intake.schedule)
            return False
        return True

    def _handle(self, message: Message) -> None:
        route, packet_id = message.route, message.packet_id
        receipt: Batch[DeviceChange] | None = None
        delivery = message.delivery if packet_id else None
        if delivery is not None and message.flags & DUP and self._home.journal.delivered(delivery):
            self.counts[route.suffix, "again"] += 1
        else:
            try:
                receipt = self._handlers[route.suffix](message, delivery)
            except (DeviceUnknown, Malformed) as error:
                outcome = "unknown_device" if isinstance(error, DeviceUnknown) else "malformed"
                self._reject(route.suffix, outcome, route.external_id, str(error))
            except Exception as bug:  # in one message must not stop the others; the first of its kind is logged whole
                self.counts[route.suffix, "failed"] += 1
                if (about := (route.suffix, type(bug))) not in self._bugs:
                    self._bugs.add(about)
                    log.exception(_DROPPED, extra={"external_id": route.external_id, "suffix": route.suffix})
            else:
                self.counts[_ACCEPTED[route.suffix]] += 1
        if receipt is not None and message.superseded is not None:
            for superseded in message.taken_in:
                self._home.journal.also_delivered(superseded)
        if packet_id:
            self._acknowledge(receipt or self._home.journal.pass_by(), packet_id, message.came_by)
        # What these went into was handled before, or just now: it's kept no later than this.
        for follower in message.followed_by or ():
            self._acknowledge(receipt or self._home.journal.pass_by(), follower, message.came_by)

    def _state(self, message: Message, delivery: Delivery | None) -> Batch[DeviceChange]:
        route = message.route
        report = read_state(message.payload).state if message.report is None else message.report
        return self._home.devices.report_state(
            route.external_id, report, station_id=route.station_id, delivery=delivery
        )

    def _event(self, message: Message, delivery: Delivery | None) -> Batch[DeviceChange]:
        route, told = message.route, read_event(message.payload)
        return self._home.devices.receive_event(
            route.external_id, told.event, told.data, station_id=route.station_id, delivery=delivery
        )

    def _heartbeat(self, message: Message, delivery: Delivery | None) -> Batch[DeviceChange]:
        route, told = message.route, read_heartbeat(message.payload)
        if told.status == "offline":
            return self._home.devices.last_will(route.external_id, session=told.session, delivery=delivery)
        return self._home.devices.heartbeat(
            route.external_id, session=told.session, station_id=route.station_id, delivery=delivery
        )

    def _handshake(self, message: Message, delivery: Delivery | None) -> Batch[DeviceChange]:
        route, portrait = message.route, read_handshake(message.payload).introduction()
        try:
            return self._home.devices.handshake(
                route.external_id, portrait, station_id=route.station_id, delivery=delivery
            )
        except DeviceUnknown:
            self._home.devices.handshake_of_stranger(route.external_id, portrait, station_id=route.station_id)
            raise

    def _acknowledge(self, receipt: Batch[DeviceChange], packet_id: int, came_by: Acknowledger) -> None:
        """All of a batch's acknowledgements on a connection are sent as one, when the batch is kept."""
        if self._acks is not None and self._acks[0] is receipt and self._acks[1] is came_by:
            self._acks[2].append(packet_id)
            return
        packet_ids = [packet_id]
        self._acks = (receipt, came_by, packet_ids)
        receipt.done.add_done_callback(partial(_kept, came_by, packet_ids))

    def _reject(self, suffix: str, outcome: str, external_id: str, why: str) -> None:
        self.counts[suffix, outcome] += 1
        about = (external_id, f"{suffix} {outcome}")
        if about in self._told or len(self._told) >= TOLD_OF:
            return
        self._told.add(about)
        told = {"external_id": external_id, "suffix": suffix, "outcome": outcome, "reason": why}
        log.warning(_DROPPED, extra=told)


def _nobody_waits() -> None:
    """No connection waits for room."""


def _kept(came_by: Acknowledger, packet_ids: list[int], done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        came_by.acknowledge(packet_ids)
