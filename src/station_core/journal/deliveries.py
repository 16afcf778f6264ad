from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

Delivery: TypeAlias = tuple[int, int]
"""What identifies a message that may come again: its packet id and the CRC-32 of its topic and payload."""

DELIVERIES_KEPT: Final = 16_384  # newest deliveries on record: far below the 65,535 ids after which they are used anew


class Deliveries:
    """Which deliveries are on record or about to be: the newest 16,384, and what else is in the oldest one's batch."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, list[Delivery]]] = deque()
        self._size = 0
        self._newest: dict[int, tuple[int, int]] = {}  # packet id → CRC-32 of its newest message, how many bear the id

    def __contains__(self, delivery: Delivery) -> bool:
        return self._newest.get(delivery[0], (None, 0))[0] == delivery[1]

    def __bool__(self) -> bool:
        return bool(self._newest)

    def expect(self, delivery: Delivery) -> None:
        """It will be on record."""
        packet_id, check = delivery
        self._newest[packet_id] = (check, self._newest.get(packet_id, (0, 0))[1] + 1)

    def record(self, number: int, deliveries: list[Delivery]) -> int:
        """These come on record with a batch; return the number of the oldest that is still of use."""
        if deliveries:
            self._batches.append((number, deliveries))
            self._size += len(deliveries)
        while self._batches and self._size - len(self._batches[0][1]) >= DELIVERIES_KEPT:
            for packet_id, _ in self._batches.popleft()[1]:
                self._size -= 1
                check, times = self._newest.pop(packet_id)
                if times > 1:
                    self._newest[packet_id] = (check, times - 1)
        return self._batches[0][0] if self._batches else number

    def strike(self, number: int) -> None:
        """The batch was refused: what it brought comes on record with another."""
        if self._batches and self._batches[-1][0] == number:
            self._size -= len(self._batches.pop()[1])

    def clear(self) -> None:
        """Nothing is on record, nor about to be."""
        self._batches.clear()
        self._size = 0
        self._newest.clear()
