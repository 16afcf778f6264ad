from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Delivery: TypeAlias = tuple[int, int]
"""What identifies a message that may come again: its packet id and the CRC-32 of its topic and payload."""

DELIVERIES_KEPT: Final = 16_384  # newest deliveries on record: far below the 65,535 ids after which they are used anew
PACKET_IDS: Final = 65_536
SPENT: Final = DELIVERIES_KEPT // 8  # of what has left the record, until its place is given back

_TWO_BYTES: Final = "H"
_FOUR_BYTES: Final = "I"
_EIGHT_BYTES: Final = "Q"


class Deliveries:
    """
    Which deliveries are on record or about to be: the newest 16,384, and what else is in the oldest one's batch.

    Plain numbers side by side, for as objects they would take 7 MB, and a house half an hour to fill them.
    """

    def __init__(self) -> None:
        self._checks = array(_FOUR_BYTES)  # by packet id: the CRC-32 of its newest message
        self._times = array(_FOUR_BYTES)  # by packet id: how many messages bear it
        self._ids = array(_TWO_BYTES)  # on record, oldest first, from `_first_id` on
        self._numbers = array(_EIGHT_BYTES)  # of the batches that brought them, from `_first_batch` on
        self._sizes = array(_FOUR_BYTES)  # how many each of these brought
        self.clear()

    def __contains__(self, delivery: Delivery) -> bool:
        packet_id, check = delivery
        return self._checks[packet_id] == check and self._times[packet_id] > 0

    def __bool__(self) -> bool:
        return self._any

    def expect(self, delivery: Delivery) -> None:
        """It will be on record."""
        packet_id, check = delivery
        self._checks[packet_id] = check
        self._times[packet_id] += 1
        self._any = True

    def record(self, number: int, deliveries: Sequence[Delivery]) -> int:
        """These come on record with a batch; return the number of the oldest that is still of use."""
        if deliveries:
            self._numbers.append(number)
            self._sizes.append(len(deliveries))
            self._ids.extend([packet_id for packet_id, _ in deliveries])
            while len(self._ids) - self._first_id - self._sizes[self._first_batch] >= DELIVERIES_KEPT:
                self._let_go_of(self._sizes[self._first_batch])
        return self._numbers[self._first_batch] if self._first_batch < len(self._numbers) else number

    def strike(self, number: int) -> None:
        """The batch was refused: what it brought comes on record with another."""
        if self._first_batch < len(self._numbers) and self._numbers[-1] == number:
            self._numbers.pop()
            del self._ids[-self._sizes.pop() :]

    def clear(self) -> None:
        """Nothing is on record, nor about to be."""
        self._checks = array(_FOUR_BYTES, [0]) * PACKET_IDS
        self._times = array(_FOUR_BYTES, [0]) * PACKET_IDS
        self._ids, self._numbers, self._sizes = array(_TWO_BYTES), array(_EIGHT_BYTES), array(_FOUR_BYTES)
        self._first_id = self._first_batch = 0
        self._any = False

    def _let_go_of(self, size: int) -> None:
        """Take the oldest batch, of so many, from the record."""
        times, ids = self._times, self._ids
        end = self._first_id + size
        for at in range(self._first_id, end):
            times[ids[at]] -= 1
        self._first_id = end
        self._first_batch += 1
        if end >= SPENT:
            del ids[:end]
            del self._numbers[: self._first_batch]
            del self._sizes[: self._first_batch]
            self._first_id = self._first_batch = 0
