from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from typing import Self

START: Final = 10.0  # seconds until it accepts
STOP: Final = 5.0  # seconds between SIGTERM and SIGKILL
ATTEMPTS: Final = 3  # another process may take the free port first


class Mosquitto:
    """
    A real Mosquitto on a free port of the loopback, open to all unless *lines* (of mosquitto.conf) say otherwise.

    Keeps nothing over a restart unless *lines* say so; the port stays the same.
    """

    def __init__(self, *lines: str) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self._lines = lines
        self._files: contextlib.ExitStack
        self._folder: Path
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it is, as STATION_MQTT_URL has it."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process, which runs."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        with contextlib.ExitStack() as files:
            self._folder = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="mosquitto-")))
            await self._start_somewhere()
            self._files = files.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._files:
            await self.stop()

    async def start(self) -> None:
        """Return once it accepts; raise `RuntimeError` with its own words when it doesn't."""
        assert self._process is None
        binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
        assert binary is not None, "mosquitto isn't installed: apt-get install mosquitto"
        config, words = self._folder / "mosquitto.conf", self._folder / "stderr"
        config.write_text("\n".join(self._config()) + "\n")
        with words.open("wb") as stderr:
            command = [*_dying_with_us(), binary, "-c", str(config)]
            self._process = await asyncio.create_subprocess_exec(*command, stderr=stderr)
        accepts = False
        try:
            async with asyncio.timeout(START):
                await self._accepted(self._process)
            accepts = True
        except (TimeoutError, ChildProcessError) as error:
            raise RuntimeError(f"Mosquitto doesn't start: {words.read_text()}") from error
        finally:
            if not accepts:
                await self.kill()

    async def stop(self) -> None:
        """End it by SIGTERM; it may be paused or ended already."""
        if self._process is not None:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)
            try:
                async with asyncio.timeout(STOP):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()
            self._process = None

    async def kill(self) -> None:
        """End it by SIGKILL: no word to anybody, nothing saved."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None

    async def restart(self) -> None:
        """Kill it and start it anew on the same port; it remembers nothing."""
        await self.kill()
        await self.start()

    def pause(self) -> None:
        """Hold it still (SIGSTOP): the kernel still accepts for it, nobody is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def _config(self) -> list[str]:
        lines = [
            f"listener {self.port} {self.host}",
            f"user {pwd.getpwuid(os.getuid()).pw_name}",
            "log_dest stderr",
            "log_type error",
            "set_tcp_nodelay true",
            "max_inflight_messages 0",
            "max_queued_messages 0",
        ]
        if not any(line.startswith("allow_anonymous") for line in self._lines):
            lines.append("allow_anonymous true")
        return [*lines, *self._lines]

    async def _start_somewhere(self) -> None:
        for attempt in range(ATTEMPTS):
            self.port = free_port()
            try:
                await self.start()
            except RuntimeError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    async def _accepted(self, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection(self.host, self.port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return
        raise ChildProcessError

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


def _dying_with_us() -> list[str]:
    """What to put before a command so that a killed test run leaves no server behind, where the system knows that."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL"]
