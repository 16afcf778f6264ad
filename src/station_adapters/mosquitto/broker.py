from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import secrets
import shutil
import signal
from typing import TYPE_CHECKING, Final

from station_adapters.mosquitto import files
from station_adapters.mosquitto.files import Listener, Login
from station_adapters.mosquitto.orphan import GONE_WITHIN, end_orphan
from station_adapters.mosquitto.probe import accepts
from station_core.errors import BrokerUnavailable, LinkDown, SettingInvalid, StationError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from station_core.devices.credentials import Account

log = logging.getLogger("station.broker")

UP_WITHIN: Final = 5.0  # seconds from the start until it answers by its list
ADMITTED_WITHIN: Final = 3.0  # seconds from a new list; who waits for that has 5 for this, the store and the link
BEHIND_FOR: Final = (2.0, 10.0)  # seconds between attempts to bring it in step: first, longest
YIELDS: Final = 5  # steps of niceness: in overload the station gets to what the broker has before the broker takes more
_ASKED_EVERY: Final = 0.005  # seconds
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # where to reach it from here


class MosquittoBroker:
    """
    The station's own broker, a child process: the `BrokerDoor`, and the worker that keeps the child.

    The child ends with the station, however that ends. Everything it reads is made from what the store holds, at each
    start and each change; *write* writes a file, whole or not at all, for nobody else to read.
    """

    def __init__(
        self, *, listener: Listener, station: Login, folder: Path, write: Callable[[Path, bytes], None]
    ) -> None:
        self._listener = listener
        self._station = station
        self._folder = folder
        self._write = write
        self._accounts: Sequence[Account] = ()
        self._process: Process | None = None
        self._begun = False
        self._one_at_a_time = asyncio.Lock()
        self._behind = asyncio.Event()  # it may answer by an older list
        self._last_words = ""

    @property
    def host(self) -> str:
        """Where the station itself reaches the broker."""
        return _EVERYWHERE.get(self._listener.host, self._listener.host)

    @property
    def logins(self) -> tuple[Login, Login]:
        """Who the station is, on the connection that it hears on and on the one that it speaks on."""
        return self._station, files.speaker(self._station)

    def digest(self, token: str) -> str:
        """See `BrokerDoor`."""
        return files.digest(token)

    async def admit(self, accounts: Sequence[Account]) -> None:
        """See `BrokerDoor`; before the first start the list is only kept."""
        self._accounts = list(accounts)
        self._behind.set()
        if unnamed := [account.external_id for account in accounts if not files.can_log_in(account.external_id)]:
            log.warning("the own broker can't name an id with a colon: no MQTT for it", extra={"external_ids": unnamed})
        async with self._one_at_a_time:
            if self._process is None:
                if self._begun:
                    raise BrokerUnavailable
                return
            told = self._accounts
            try:
                await self._until_accepted(await self._tell(self._process), ADMITTED_WITHIN)
            except LinkDown as error:
                raise BrokerUnavailable from error
            self._follows(told)

    async def run(self, ready: asyncio.Event) -> None:
        """Keep one child; set *ready* once it lets in whom it should; raise `LinkDown` when it ends."""
        command = self._command()
        await asyncio.to_thread(end_orphan, self._pid_file, self._configuration)
        async with self._one_at_a_time:
            newcomer = self._newcomer()
            self._behind.clear()
            await asyncio.to_thread(self._write_all, newcomer)
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the station, which ends the broker in its turn
            )
            self._begun = True
            self._process = process
            self._last_words = ""
        _yield_to_us(process.pid)
        try:
            self._write(self._pid_file, f"{process.pid}\n".encode())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(process))
                following = group.create_task(self._catch_up(process))
                proving = group.create_task(self._prove(newcomer, ready))
                await process.wait()
                following.cancel()
                proving.cancel()
        except ExceptionGroup as failed:  # not except*: before Python 3.11.4 it wraps what is raised in it
            raise failed.exceptions[0] from None
        finally:
            self._process = None
            ready.clear()
            await _end(process)
            self._pid_file.unlink(missing_ok=True)
        words = self._last_words or f"exit code {process.returncode}"
        raise LinkDown(f"Mosquitto on port {self._listener.port} (STATION_MQTT_PORT) ended: {words}")

    async def _tell(self, process: Process) -> Login:
        """Have it read the newest list; who can enter once it has. Raise `BrokerUnavailable`."""
        newcomer = self._newcomer()
        writing = asyncio.get_running_loop().run_in_executor(None, self._write_passwords, newcomer)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])  # else its older list might come after a newer one
            raise
        try:
            process.send_signal(signal.SIGHUP)
        except ProcessLookupError as error:
            raise BrokerUnavailable from error
        return newcomer

    def _follows(self, told: Sequence[Account]) -> None:
        """It answers by this list, if not by a newer one."""
        if told is self._accounts:  # else whoever brought the newer one may have given up
            self._behind.clear()

    async def _catch_up(self, process: Process) -> None:
        """Bring it in step after an attempt that failed, or that nobody waited for."""
        pause, longest = BEHIND_FOR
        while True:
            await self._behind.wait()
            await asyncio.sleep(pause)  # who has set it is at it
            if not self._behind.is_set():
                pause, _ = BEHIND_FOR
                continue
            told = self._accounts
            try:
                async with self._one_at_a_time:
                    if not self._behind.is_set():
                        continue
                    told = self._accounts
                    newcomer = await self._tell(process)
                # Not while others are kept from it: whoever comes now has a deadline.
                await self._until_accepted(newcomer, ADMITTED_WITHIN)
            except StationError as trouble:
                if told is not self._accounts:
                    continue  # by a newer list this newcomer can't enter
                if pause < longest:
                    log.warning("the broker may let in whom it shouldn't", extra={"reason": str(trouble)})
                pause = min(pause * 2, longest)
                continue
            self._follows(told)
            pause, _ = BEHIND_FOR
            log.info("the broker is in step again")

    def _newcomer(self) -> Login:
        """
        Someone who can only enter by the newest list: a broker that lets them in has read it.

        Never the station's own login: a second client of its name would throw it off and end its session.
        """
        return Login(user=f"{self._station.user}/{secrets.token_hex(8)}", password=secrets.token_urlsafe(24))

    @property
    def _pid_file(self) -> Path:
        return self._folder / "pid"

    @property
    def _configuration(self) -> Path:
        return self._folder / "mosquitto.conf"

    def _command(self) -> list[str]:
        broker = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
        if broker is None:
            raise SettingInvalid("There is no mosquitto on this machine: install it, or set STATION_MQTT_URL.")
        # setpriv (util-linux) has the kernel end the broker with us, however we end: by SIGTERM, so that it saves.
        if (setpriv := shutil.which("setpriv")) is not None:
            return [setpriv, "--pdeathsig", "TERM", "--", broker, "-c", str(self._configuration)]
        return [broker, "-c", str(self._configuration)]

    def _write_all(self, newcomer: Login) -> None:
        persistence = self._folder / "held"
        persistence.mkdir(mode=0o700, exist_ok=True)
        run_as = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else "mosquitto"  # asked for as root only
        self._write(
            self._configuration,
            files.configuration(self._listener, self._folder, run_as=run_as, persistence=persistence).encode(),
        )
        self._write(self._folder / "acl", files.rights(self._station, anonymous=self._listener.anonymous).encode())
        self._write_passwords(newcomer)

    def _write_passwords(self, newcomer: Login) -> None:
        own = [*self.logins, newcomer]
        self._write(self._folder / "passwords", files.passwords(self._accounts, own).encode())

    async def _listen(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            words = line.decode(errors="replace").strip()
            log.debug("broker: %s", words)
            if words.startswith("Error"):
                self._last_words = words.removeprefix("Error: ")

    async def _prove(self, newcomer: Login, ready: asyncio.Event) -> None:
        """Ready is a broker that lets in who is on its list, and nobody with a wrong password."""
        await self._until_accepted(newcomer, UP_WITHIN)
        try:
            open_to_all = await accepts(
                self.host, self._listener.port, Login(user=newcomer.user, password=secrets.token_hex())
            )
        except OSError as error:
            raise LinkDown(f"The broker doesn't answer: {error}") from error
        if open_to_all:
            raise LinkDown("The broker accepts a wrong password.")
        ready.set()

    async def _until_accepted(self, login: Login, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                while True:
                    with contextlib.suppress(OSError):
                        if await accepts(self.host, self._listener.port, login):
                            return
                    await asyncio.sleep(_ASKED_EVERY)
        except TimeoutError:
            raise LinkDown("The broker doesn't answer.") from None


class ForeignBroker:
    """The `BrokerDoor` of a broker by URL: it keeps its own list and admits whom it likes."""

    def digest(self, token: str) -> str:
        """As for the station's own broker, which may be used later."""
        return files.digest(token)

    async def admit(self, accounts: Sequence[Account]) -> None:
        """See `BrokerDoor`."""


def _yield_to_us(pid: int) -> None:
    """What came is worked off before more is taken in: devices that say too much are slowed down by TCP."""
    with contextlib.suppress(OSError):  # it has ended, or a container forbids it
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + YIELDS)


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(GONE_WITHIN):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
