"""
The bridge's child: `python -m station_adapters.ble.bridge_process` (docs/protocols.md §2, "Bridge protocol").

Pure transport between its pipes and the radio.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Final, TextIO

from station_adapters.ble.advert import Advertisement, Heard
from station_adapters.ble.antenna import Antenna
from station_adapters.ble.radio import Mailbox
from station_adapters.ble.wire import (
    ConnectAndWrite,
    Discovered,
    Lines,
    Ready,
    Report,
    ScanStarted,
    ScanStopped,
    StartScan,
    StopScan,
    Trouble,
    WriteResult,
    command,
    line,
)
from station_core.errors import Malformed, ProvisioningBusy, StationError

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING: Final = 32  # commands of a kind
HEARD_BACKLOG: Final = 64 * 1024  # bytes not read yet, beyond which advertisements are dropped: they come again
BACKLOG: Final = 1024 * 1024  # bytes not read yet, beyond which everything is
ANSWERS_WITHIN: Final = 1.5  # seconds that what was asked before the end of input has
GONE_WITHIN: Final = 4.5  # seconds from the end of input
_CHUNK: Final = 64 * 1024  # bytes


class Bridge:
    """Does what commands ask, scans and writes beside each other, each kind in order; tells by *tell*."""

    def __init__(self, antenna: Antenna, tell: Callable[[Report], None]) -> None:
        self._antenna = antenna
        self._tell = tell
        self._scans: asyncio.Queue[StartScan | StopScan] = asyncio.Queue(WAITING)
        self._writes: asyncio.Queue[ConnectAndWrite] = asyncio.Queue(WAITING)
        self._service_uuid = ""
        self._heard = Heard()

    def take(self, text: bytes | None) -> None:
        """A line from the parent; None is one that was too long."""
        try:
            asked = command(text)
        except Malformed as error:
            self._tell(Trouble(error=str(error)))
            return
        try:
            if isinstance(asked, ConnectAndWrite):
                self._writes.put_nowait(asked)
            else:
                self._scans.put_nowait(asked)
        except asyncio.QueueFull:
            if isinstance(asked, ConnectAndWrite):
                self._tell(WriteResult(address=asked.address, ok=False, error=ProvisioningBusy.code))
            else:
                self._tell(Trouble(error="Too many commands wait."))

    async def run(self, end_of_input: asyncio.Event) -> None:
        """Work until the end of input; when it returns, no scan runs and no link is open."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._scan_as_asked(group)), group.create_task(self._write_as_asked())]
            await end_of_input.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWERS_WITHIN):
                    await self._scans.join()
            for worker in workers:
                worker.cancel()

    async def _scan_as_asked(self, group: asyncio.TaskGroup) -> None:
        scan: asyncio.Task[None] | None = None
        try:
            while True:
                asked = await self._scans.get()
                if isinstance(asked, StartScan):
                    self._service_uuid = asked.service_uuid.lower()
                    if scan is None or scan.done():
                        begun = asyncio.Event()
                        scan = group.create_task(self._scan(begun))
                        await begun.wait()
                    else:
                        self._tell(ScanStarted())
                else:
                    if scan is not None:
                        scan.cancel()
                        await asyncio.wait({scan})
                    self._tell(ScanStopped())
                self._scans.task_done()
        finally:
            if scan is not None:
                scan.cancel()

    async def _scan(self, begun: asyncio.Event) -> None:
        def started() -> None:
            self._tell(ScanStarted())
            begun.set()

        self._heard = Heard()
        try:
            await self._antenna.listen(self._discovered, started=started)
        except StationError as error:
            self._tell(Trouble(error=error.code, during="scan"))
        finally:
            begun.set()

    def _discovered(self, latest: Advertisement) -> None:
        advertisement = self._heard.merged(latest)
        if advertisement.carries(self._service_uuid):
            self._tell(
                Discovered(
                    address=advertisement.address,
                    name=advertisement.name,
                    rssi=advertisement.rssi,
                    service_uuids=list(advertisement.service_uuids),
                    service_data={uuid: data.hex() for uuid, data in advertisement.service_data.items()},
                )
            )

    async def _write_as_asked(self) -> None:
        while True:
            asked = await self._writes.get()
            mailbox = Mailbox(
                address=asked.address,
                service_uuid=asked.service_uuid.lower(),
                characteristic_uuid=asked.characteristic_uuid.lower(),
            )
            try:
                await self._antenna.write(mailbox, asked.payload.encode(), connected=lambda: None)
            except StationError as error:
                self._tell(WriteResult(address=asked.address, ok=False, error=error.code))
            else:
                self._tell(WriteResult(address=asked.address, ok=True))


async def serve(stdin: TextIO, stdout: TextIO) -> None:
    """Speak the protocol on the two pipes until the end of input, or a signal."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    out, _ = await loop.connect_write_pipe(_Out, stdout)

    def tell(message: Report) -> None:
        backlog = out.get_write_buffer_size()
        if backlog < (HEARD_BACKLOG if isinstance(message, Discovered) else BACKLOG):
            out.write(line(message))

    tell(Ready())
    bridge = Bridge(Antenna(), tell)
    pipe, _ = await loop.connect_read_pipe(lambda: _In(bridge.take, ended), stdin)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(bridge.run(ended))
            await ended.wait()
            loop.call_later(GONE_WITHIN, os._exit, 0)  # whatever the system's Bluetooth does
            await working
    finally:
        pipe.close()
        out.close()


class _In(asyncio.Protocol):
    def __init__(self, take: Callable[[bytes | None], None], ended: asyncio.Event) -> None:
        self._take = take
        self._ended = ended
        self._lines = Lines()

    def data_received(self, data: bytes) -> None:
        for text in self._lines.fed(data):
            self._take(text)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._ended.set()


class _Out(asyncio.BaseProtocol):
    """Nothing waits for the parent to read; that it's gone is told by the end of input."""


def main() -> None:
    """Run the child."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(serve(sys.stdin, sys.stdout))


if __name__ == "__main__":
    main()
