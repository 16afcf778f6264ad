from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

HELD_UP_TO: Final = 16 * 1024  # bytes; to copy more costs as much as to write it by itself


class Joined:
    """
    The writing side of a connection, as much of it as uvicorn answers through: head and body go out as one.

    uvicorn writes them one after the other, and uvloop each at once: two system calls and often two packets for an
    answer of 70 bytes. Here a small piece waits for the next one, until the turn of the loop is over. The order stays.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """See `asyncio.WriteTransport`."""
        if len(data) > HELD_UP_TO:
            self.flush()
            self._transport.write(data)
        elif self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        elif data:
            self._held = data
            self._loop.call_soon(self._flush_late)

    def flush(self) -> None:
        """Write what is held; nothing is no error."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """See `asyncio.BaseTransport`."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """See `asyncio.BaseTransport`."""
        return self._transport.is_closing()

    def _flush_late(self) -> None:
        if self._transport.is_closing():
            self._held = b""  # a closed one of uvloop's can't be written to
        self.flush()
