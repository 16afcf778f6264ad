"""Orders from the command line: through the control socket of a running station, else on its data under its locks."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import getpass
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_adapters.control.frames import LINE_BOUND, SOCKET_NAME, request_line, result_in
from station_adapters.control.place import address
from station_app.settings import load_settings
from station_core.errors import Malformed, SettingInvalid, TooLarge, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from station_app.settings import Settings

ANSWER_WITHIN: Final = 40.0  # seconds; a little more than the station gives an order
LOOKS: Final = frozenset({"doctor", "bundle"})  # at a database that may be broken; changes nothing
NOBODY: Final = frozenset({errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR})
PASSWORD_BOUND: Final = 4096  # characters read of one


def order(name: str, /, **arguments: Any) -> Any:
    """What came of an order; raise the `StationError` that the station, or its data, answers with."""
    settings = load_settings(os.environ)
    with contextlib.suppress(NobodyThere):
        return ask(settings.data_dir, name, arguments)
    return asyncio.run(on_data(settings, name, arguments))


class NobodyThere(Exception):
    """No station listens on the control socket."""


def ask(folder: Path, name: str, arguments: dict[str, Any]) -> Any:
    """The answer of the station that runs in *folder*; raise `NobodyThere` when none does."""
    line = request_line(name, arguments)
    if len(line) > LINE_BOUND:
        raise TooLarge(f"An order has at most {LINE_BOUND} bytes.")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_WITHIN)
            with address(folder / SOCKET_NAME) as where:
                connection.connect(where)
            connection.sendall(line)
            with connection.makefile("rb") as answers:
                answer = answers.readline()
    except TimeoutError:
        raise Unavailable("The station doesn't answer.") from None
    except PermissionError:
        raise SettingInvalid(f"{folder} isn't yours: give orders as the user that station runs as, or root.") from None
    except OSError as error:
        if error.errno in NOBODY:
            raise NobodyThere from None
        raise Unavailable(f"The station can't be asked: {error.strerror or error}.") from None
    if not answer:
        raise Unavailable("The station ended before it answered.")
    return result_in(answer)


async def on_data(settings: Settings, name: str, arguments: dict[str, Any]) -> Any:
    """The same order on the data of a station that doesn't run, which nobody else uses meanwhile."""
    from station_adapters.sql.migrations import upgrade  # noqa: PLC0415  # same
    from station_app.container import prepared  # noqa: PLC0415  # most orders go to a running station
    from station_app.orders.desk import ORDERS  # noqa: PLC0415  # same

    if name in ORDERS and ORDERS[name].live:
        raise Unavailable("The station isn't running.")
    if not settings.data_dir.is_dir():
        raise SettingInvalid(f"There is no station in {settings.data_dir}: see STATION_DATA_DIR.")
    with prepared(settings) as container:
        database = container.database()
        try:
            if name not in LOOKS:
                await container.lock().acquire()
                await upgrade(database)
                await container.home().load()
            result = await container.desk().carry_out_offline(name, arguments)
        finally:
            await database.close()
    return msgspec.to_builtins(result)


def password() -> str:
    """One from a prompt, typed twice, or the first line of standard input when that's no terminal; never from argv."""
    if sys.stdin.isatty():
        first = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != first:
            raise Malformed("These are two different passwords.")
        return first
    return sys.stdin.readline(PASSWORD_BOUND).removesuffix("\n")
