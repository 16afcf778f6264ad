from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import Self

STARTED_WITHIN: Final = 10.0  # seconds


class PrivateBus:
    """A dbus-daemon of our own; *address* is for DBUS_SYSTEM_BUS_ADDRESS."""

    def __init__(self) -> None:
        self.address = ""
        self._folder: tempfile.TemporaryDirectory[str]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        daemon = shutil.which("dbus-daemon")
        assert daemon is not None, "dbus-daemon isn't installed: apt-get install dbus"
        self._folder = tempfile.TemporaryDirectory(prefix="dbus-")
        listen = f"--address=unix:path={self._folder.name}/bus"
        self._process = await asyncio.create_subprocess_exec(
            *(daemon, "--session", "--nofork", "--nopidfile", "--print-address=1", listen),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(STARTED_WITHIN):
            self.address = (await self._process.stdout.readline()).decode().strip()
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()
        self._folder.cleanup()

    async def die(self) -> None:
        """Kill it."""
        self._process.kill()
        await self._process.wait()
