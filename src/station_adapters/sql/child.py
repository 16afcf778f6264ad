"""
The process that makes the tables, as its parent sees it.

Only the standard library is imported here, so that a station can begin the process before it imports anything large.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# -P: whoever may write to the folder that the station was started in doesn't tell what it imports.
CHILD: Final = (sys.executable, "-P", "-m", "station_adapters.sql.apart")


class TablesChild:
    """
    A process that brings a database to the newest revision, once it's told which.

    To be begun takes it as long as to import Alembic. It does nothing by itself, and ends when its parent does.
    """

    def __init__(self, command: Sequence[str] = CHILD) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Have one wait for what it's told; it has been begun already, or can't be begun, is no error."""
        if self._process is None:
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(  # noqa: S603  # our own command
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the station, which ends the child in its turn
                )

    async def upgrade(self, url: str) -> None:
        """Have the database at *url* upgraded, all or nothing, and wait for the end, however it comes: `dismiss` it."""
        self.begin()
        if self._process is not None:
            _tell(self._process, order(url))
            await asyncio.to_thread(self._process.wait)

    async def dismiss(self) -> None:
        """End it, whatever it does; there is none is no error."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self.dismiss_at_once)

    def dismiss_at_once(self) -> None:
        """The same, where there is no loop."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def order(url: str) -> bytes:
    """What the child reads: the database's URL, whatever a folder's name has in it and whatever the locale is."""
    return json.dumps(url).encode() + b"\n"


def _tell(process: subprocess.Popen[bytes], what: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended already
        process.stdin.write(what)  # not in its arguments, which everybody may read
        process.stdin.flush()
