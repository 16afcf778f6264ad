from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import struct
from typing import TYPE_CHECKING, Any, Final

from station_adapters.control.frames import LINE_BOUND, SOCKET_NAME, error_line, request_in, result_line
from station_adapters.control.place import address
from station_core.errors import Forbidden, RateLimited, SettingInvalid, StationError, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

log = logging.getLogger("station.control")

CONNECTIONS: Final = 8  # at once
READ_WITHIN: Final = 10.0  # seconds for a request to come, and for an answer to be taken
DONE_WITHIN: Final = 30.0  # seconds for an order
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
ROOT: Final = 0


class ControlServer:
    """
    Takes orders from the operator of this machine on `station.sock` in the data folder, which the station holds.

    Only the station's own user and root are heard. What *carry_out* raises of `StationError` is the answer.
    """

    def __init__(self, folder: Path, carry_out: Callable[[str, dict[str, Any]], Awaitable[Any]]) -> None:
        self._path = folder / SOCKET_NAME
        self._carry_out = carry_out
        self._open = 0
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Take orders until cancelled; raise `SettingInvalid` when there can't be such a socket."""
        with self._listener() as listener:
            self.listening.set()
            try:
                async with asyncio.TaskGroup() as group:
                    while True:
                        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                        connection.setblocking(False)
                        self._open += 1
                        group.create_task(self._serve(connection))
            finally:
                self.listening.clear()

    @contextlib.contextmanager
    def _listener(self) -> Iterator[socket.socket]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with listener:
            try:
                _clear(self._path)
                with address(self._path) as where:
                    listener.bind(where)
                self._path.chmod(0o600)  # in the meantime the folder, 0700, keeps others out
                listener.listen(CONNECTIONS)
            except OSError as error:
                raise SettingInvalid(f"{self._path} can't be the control socket: {error.strerror or error}.") from None
            listener.setblocking(False)
            try:
                yield listener
            finally:
                self._path.unlink(missing_ok=True)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            uid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[
                1
            ]
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LINE_BOUND)
            try:
                if uid not in {os.geteuid(), ROOT}:
                    await _say(writer, error_line(Forbidden("Only the station's own user and root may give orders.")))
                elif self._open > CONNECTIONS:
                    await _say(writer, error_line(RateLimited("Too many orders at once.", retry_after=1.0)))
                else:
                    await self._converse(reader, writer)
            finally:
                writer.close()
        except (OSError, TimeoutError):
            log.debug("a caller on the control socket went away, or said nothing")
        finally:
            self._open -= 1
            connection.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(READ_WITHIN):
                try:
                    line = await reader.readline()
                except ValueError:  # what asyncio makes of a line over the limit
                    await _say(writer, error_line(TooLarge(f"A request has at most {LINE_BOUND} bytes.")))
                    return
            if not line.endswith(b"\n"):
                return
            await _say(writer, await self._answer(line))

    async def _answer(self, line: bytes) -> bytes:
        try:
            request = request_in(line)
            async with asyncio.timeout(DONE_WITHIN):
                result = await self._carry_out(request.order, request.arguments)
            return result_line(result)
        except StationError as error:
            return error_line(error)
        except TimeoutError:
            return error_line(Unavailable("The order took too long and was given up."))
        except Exception:
            log.exception("order failed")
            return error_line(StationError())


def _clear(path: Path) -> None:
    """Remove what a killed station left; the folder's lock says that no other is alive."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SettingInvalid(f"{path} is in the way of the control socket: move it away.")
        path.unlink()


async def _say(writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(line)
    async with asyncio.timeout(READ_WITHIN):
        await writer.drain()
