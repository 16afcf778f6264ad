"""The parent's side of the bridge: a radio that lives in a process of its own, which may die or hang."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Final

from station_adapters.ble.advert import Advertisement, Heard, sighting
from station_adapters.ble.wire import (
    ConnectAndWrite,
    Discovered,
    Lines,
    Report,
    ScanStarted,
    StartScan,
    Trouble,
    WriteResult,
    line,
    report,
)
from station_core.errors import Malformed, RadioUnavailable, StationError
from station_core.provisioning.errors import ConnectFailed, LinkLost, NotInRange, ServiceMissing, WriteRefused

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable, Sequence

    from station_adapters.ble.wire import Command
    from station_core.provisioning.model import Sighting

log = logging.getLogger("station.ble")

# -P: whoever may write to the folder that the station was started in doesn't tell what it imports.
CHILD: Final = (sys.executable, "-P", "-m", "station_adapters.ble.bridge_process")
ASKED_AFTER: Final = 10.0  # seconds without a word from the child
ANSWERS_WITHIN: Final = 10.0  # seconds, then the child counts as hung
RESULT_WITHIN: Final = 29.0  # seconds
GONE_WITHIN: Final = 5.0  # seconds from the end of its input
STARTS: Final = 3  # children in a row that don't get to scan, until there is no radio
BREATH: Final = 0.5  # seconds between a child and the next
_WAITING: Final = 512  # reports not handled yet; of advertisements the newest is dropped then
_CHUNK: Final = 64 * 1024  # bytes

_ERRORS: Final[dict[str, type[StationError]]] = {
    error.code: error for error in (NotInRange, ConnectFailed, ServiceMissing, WriteRefused, LinkLost, RadioUnavailable)
}


class BridgeRadio:
    """
    The `BleTransport` through a child process that speaks the bridge's protocol.

    Each call has a child of its own, which ends with it. A scan outlives its child: one that dies or hangs is replaced.
    """

    def __init__(
        self,
        *,
        service_uuid: str,
        characteristic_uuid: str,
        child: Sequence[str] = CHILD,
        asked_after: float = ASKED_AFTER,
        answers_within: float = ANSWERS_WITHIN,
    ) -> None:
        self._service_uuid = service_uuid.lower()
        self._characteristic_uuid = characteristic_uuid.lower()
        self._command = tuple(child)
        self._asked_after = asked_after
        self._answers_within = answers_within

    async def scan(self, seen: Callable[[Sighting], None], *, started: Callable[[], None]) -> None:
        """See `BleTransport`."""
        known = Heard()
        told = False
        in_vain = 0

        def listening() -> None:
            nonlocal told, in_vain
            in_vain = 0
            if not told:
                told = True
                started()

        def heard(found: Discovered) -> None:
            sighted = sighting(known.merged(_advertisement(found)), self._service_uuid)
            if sighted is not None:
                seen(sighted)

        while in_vain < STARTS:
            in_vain += 1
            async with self._child() as child:
                await self._scan(child, listening, heard)
            await asyncio.sleep(BREATH)
        raise RadioUnavailable("The Bluetooth bridge doesn't start.")

    async def write(self, address: str, payload: bytes, *, connected: Callable[[], None]) -> None:
        """See `BleTransport`; that the link stands is known only from how the write ends."""
        order = ConnectAndWrite(
            address=address,
            service_uuid=self._service_uuid,
            characteristic_uuid=self._characteristic_uuid,
            payload=payload.decode(),
        )
        async with self._child() as child:
            try:
                async with asyncio.timeout(RESULT_WITHIN):
                    child.tell(order)
                    result = await _result(child, address)
            except TimeoutError:
                raise LinkLost from None
        if result.ok:
            connected()
            return
        # A bridge of other making may say it in its own words: then nobody knows what was written.
        error = _ERRORS.get(result.error or "", LinkLost)
        if error in {ServiceMissing, WriteRefused}:
            connected()
        raise error

    async def _scan(self, child: _Child, listening: Callable[[], None], heard: Callable[[Discovered], None]) -> None:
        """Return when the child died or hangs; raise `RadioUnavailable` when it says that it can't scan."""
        order = StartScan(service_uuid=self._service_uuid)
        child.tell(order)
        asked = True
        while True:
            try:
                async with asyncio.timeout(self._answers_within if asked else self._asked_after):
                    message = await child.next()
            except TimeoutError:
                if asked:
                    log.warning("the Bluetooth bridge hangs: it's replaced")
                    return
                child.tell(order)  # idempotent, and always answered
                asked = True
                continue
            match message:
                case None:
                    log.warning("the Bluetooth bridge died: it's replaced")
                    return
                case Trouble(during="scan"):
                    raise RadioUnavailable
                case ScanStarted():
                    asked = False
                    listening()
                case Discovered():
                    heard(message)
                case _:
                    pass

    @contextlib.asynccontextmanager
    async def _child(self) -> AsyncIterator[_Child]:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the station, which ends the bridge in its turn
            )
        except OSError as error:
            raise RadioUnavailable("The Bluetooth bridge doesn't start.") from error
        child = _Child(process)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child.listen())
                group.create_task(child.log())
                try:
                    yield child
                finally:
                    await child.end()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None


class _Child:
    """The child's pipes: both are always served, so that neither side can block the other."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._in, self._out, self._err = process.stdin, process.stdout, process.stderr
        self._reports: asyncio.Queue[Report | None] = asyncio.Queue()

    def tell(self, order: Command) -> None:
        """Never waits: orders are few and small; a child that doesn't read is one that doesn't answer."""
        self._in.write(line(order))

    async def next(self) -> Report | None:
        """What it says, or None when it ended."""
        return await self._reports.get()

    async def listen(self) -> None:
        """Read what it says until it ends."""
        lines = Lines()
        while data := await self._out.read(_CHUNK):
            for text in lines.fed(data):
                self._take(text)
        self._reports.put_nowait(None)

    async def log(self) -> None:
        """Pass on what it says to people."""
        lines = Lines()
        while data := await self._err.read(_CHUNK):
            for text in lines.fed(data):
                log.info("bridge: %s", (text or b"(too long)").decode(errors="replace"))

    async def end(self) -> None:
        """By the end of its input; after 5 s by force."""
        with contextlib.suppress(OSError):
            self._in.close()
        try:
            async with asyncio.timeout(GONE_WITHIN):
                await self._process.wait()
        except TimeoutError:
            log.warning("the Bluetooth bridge doesn't end: it's killed")
        finally:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()

    def _take(self, text: bytes | None) -> None:
        try:
            message = report(text)
        except Malformed as error:
            log.info("the Bluetooth bridge speaks rubbish: %s", error)
            return
        if self._reports.qsize() < (_WAITING if isinstance(message, Discovered) else 2 * _WAITING):
            self._reports.put_nowait(message)


def _advertisement(found: Discovered) -> Advertisement:
    data: dict[str, bytes] = {}
    for uuid, value in found.service_data.items():
        with contextlib.suppress(ValueError):
            data[uuid.lower()] = bytes.fromhex(value)
    return Advertisement(
        address=found.address,
        rssi=found.rssi,
        name=found.name,
        service_uuids=tuple(uuid.lower() for uuid in found.service_uuids),
        service_data=data,
    )


async def _result(child: _Child, address: str) -> WriteResult:
    while True:
        match await child.next():
            case None:
                raise RadioUnavailable("The Bluetooth bridge died.")
            case WriteResult(address=whose) as result if whose == address:
                return result
            case Trouble(during=None, error=words):
                raise RadioUnavailable(f"The Bluetooth bridge refuses: {words}")
            case _:
                pass
