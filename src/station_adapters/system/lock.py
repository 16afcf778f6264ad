from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final

from station_adapters.system.files import disk_errors
from station_core.errors import StoreTaken

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

LOCK_NAME: Final = "station.lock"


class FolderLock:
    """
    The data folder, or what *name* stands for in another, is one station's.

    Held from `acquire` to `release`, or to the end of the process, however it ends.

    Children that were started by exec don't inherit it. The file stays: to remove it would let two stations in.
    """

    def __init__(self, folder: Path, name: str = LOCK_NAME) -> None:
        self._path = folder / name
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the folder; raise `StoreTaken` at once when another has it, or what `disk_errors` says."""
        assert self._descriptor is None
        with disk_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                self._lock(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the folder back; again is no error."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # also for whoever was forked and holds the same descriptor
            os.close(descriptor)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            raise StoreTaken(f"Another station (process {holder}) uses {self._path.parent}.") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
