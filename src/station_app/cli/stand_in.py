from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

from cyclopts import Parameter
from cyclopts.validators import Number

from station_app.simulator.cloud.certificates import LOOPBACK, ThrowAwayAuthority
from station_app.simulator.cloud.orders import USAGE, Orders
from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import StandInCloud
from station_core.errors import SettingInvalid, StationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from station_app.simulator.cloud.record import Entry

CA_FILE: Final = Path("stand-in-cloud.pem")
LINE_BOUND: Final = 2**21  # bytes: longer than any message that a station takes


def cloud(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))] = 3100,
    plain: Annotated[bool, Parameter(negative=())] = False,
    ca_file: Path = CA_FILE,
    name: tuple[str, ...] = (),
    script: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """
    See `station simulate cloud --help`.

    Parameters
    ----------
    host
        The address to listen at.
    port
        The port; 0: any that is free.
    plain
        Without TLS, as ws://: stations take that on the loopback only, or with STATION_CLOUD_ALLOW_PLAIN=true.
    ca_file
        Where the authority goes that the stations have to trust, by STATION_CLOUD_CA_FILE; its key is kept nowhere.
    name
        A name of this host, beside the loopback's, by which stations reach it. May be given several times.
    script
        Orders, one a line; the program ends after the last one. Without: they are read from standard input.
    json
        What happens as lines of JSON on standard output, and nothing else there.

    """
    lines = _lines(script)
    tls = None if plain else _show_itself(ca_file, [*LOOPBACK, host, *name])
    trust = "" if plain else f" STATION_CLOUD_CA_FILE={ca_file.absolute()}"
    record = Record(_print_json if json else _print_text)
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_live(StandInCloud(record, tls), host, port, lines, trust))
    return 0


async def _live(cloud: StandInCloud, host: str, port: int, lines: list[str] | None, trust: str) -> int:
    stop = asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, stop.set)
    try:
        async with cloud.serving(host, port) as bound:
            where = f"ws://{host}:{bound}" if cloud.plain else f"{host}:{bound}"
            _note(f"A stand-in cloud listens. Stations reach it with STATION_CLOUD_HOST={where}{trust}")
            async with asyncio.TaskGroup() as group:
                stopping = group.create_task(stop.wait())
                working = group.create_task(_script(cloud, lines) if lines is not None else _typed(cloud, stop))
                await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if not working.done():
                    working.cancel()
                    return 0
            return working.result()
    except OSError as error:
        raise SettingInvalid(f"--host {host} --port {port}: {error.strerror or error}.") from error


async def _script(cloud: StandInCloud, lines: list[str]) -> int:
    orders = Orders(cloud)
    for number, line in enumerate(lines, 1):
        try:
            await orders.carry_out(line)
        except StationError as error:
            _note(f"line {number}: {error}")
            return 1
    return 0


async def _typed(cloud: StandInCloud, stop: asyncio.Event) -> int:
    """Orders from standard input; its end ends nothing: a stand-in in the background has none."""
    orders = Orders(cloud)
    if sys.stdin is not None:  # None: started with standard input closed
        _note(USAGE if sys.stdin.isatty() else "")
        async for line in _lines_of(sys.stdin):
            try:
                await orders.carry_out(line)
            except StationError as error:
                _note(str(error))
    await stop.wait()
    return 0


async def _lines_of(source: TextIO) -> AsyncIterator[str]:
    """Line by line, as they are typed; a file, and /dev/null, can't be waited for, and are read as they are."""
    mode = os.fstat(source.fileno()).st_mode
    if not (source.isatty() or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        for line in source.buffer.readlines():
            yield line.decode(errors="replace")
        return
    reader = asyncio.StreamReader(limit=LINE_BOUND)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            _note(f"That line has over {LINE_BOUND} bytes; no more orders are read.")
            return
        if not line:
            return
        yield line.decode(errors="replace")


def _lines(script: Path | None) -> list[str] | None:
    try:
        return None if script is None else script.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"--script {script} can't be read: {error}.") from error


def _show_itself(ca_file: Path, names: list[str]) -> ssl.SSLContext:
    authority = ThrowAwayAuthority()
    try:
        ca_file.write_bytes(authority.pem)
    except OSError as error:
        raise SettingInvalid(f"--ca-file {ca_file} can't be written: {error.strerror}.") from error
    return authority.server(names)


def _print_json(entry: Entry) -> None:
    _print(entry.line(), sys.stdout)


def _print_text(entry: Entry) -> None:
    arrow = {"heard": "→", "said": "←"}.get(entry.what, entry.what)
    _print(f"{entry.at:%H:%M:%S} {entry.link} {arrow} {entry.text}", sys.stdout)


def _note(text: str) -> None:
    if text:
        _print(text, sys.stderr)


def _print(text: str, to: TextIO) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody reads any more, which is no reason to fail a station
        print(text, file=to, flush=True)
