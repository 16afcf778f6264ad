from __future__ import annotations

import asyncio
from typing import Final

from station_core.errors import BrokerUnavailable

PACKET_IDS: Final = 65_535
REFUSED: Final = 0x80  # reason codes from here on (MQTT 5.0 §2.4)


class Outgoing:
    """
    The messages at QoS 1 that a broker hasn't acknowledged yet, at most *window* of them.

    One that nobody waits for any longer keeps its packet id and its place: the broker may still acknowledge it.
    """

    def __init__(self, window: int) -> None:
        self._room = asyncio.Semaphore(window)
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._last_id = 0
        self._over = False

    async def begin(self) -> tuple[int, asyncio.Future[None]]:
        """A packet id, once there is one, and what resolves by the acknowledgement or raises `BrokerUnavailable`."""
        await self._room.acquire()
        if self._over:
            self._room.release()  # for the next who waits, to be told the same
            raise BrokerUnavailable
        packet_id = self._last_id % PACKET_IDS + 1
        while packet_id in self._answers:
            packet_id = packet_id % PACKET_IDS + 1
        self._last_id = packet_id
        answer = self._answers[packet_id] = asyncio.get_running_loop().create_future()
        return packet_id, answer

    def acknowledged(self, packet: bytes) -> None:
        """The broker sent this PUBACK (MQTT 5.0 §3.4)."""
        answer = self._answers.pop(packet[2] << 8 | packet[3], None)
        if answer is None:
            return
        self._room.release()
        if answer.done():
            return
        if len(packet) > 4 and packet[4] >= REFUSED:  # the reason stands behind the id; without one it's success
            answer.set_exception(BrokerUnavailable("The broker refuses the message."))
        else:
            answer.set_result(None)

    def end(self) -> None:
        """The connection is over: nothing will be acknowledged any more; again is no error."""
        self._over = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BrokerUnavailable())
        self._answers.clear()
        self._room.release()
