from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from station_adapters.system.files import private_folder
from station_adapters.system.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from station_app.settings import Settings

SQLITE: Final = "sqlite:///"


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """
    Hold the data folder, and SQLite's file, which may lie in another's; PostgreSQL has a lock of its own.

    Raise `SettingInvalid` for a folder that can't be used, `StoreTaken` when another station has one of them.
    """
    private_folder(settings.data_dir)
    file = sqlite_file(settings)
    with FolderLock(settings.data_dir), nullcontext() if file is None else _held(file):
        yield


def _held(file: Path) -> FolderLock:
    """Where the file really lies: two links to it are one database."""
    real = file.resolve()
    return FolderLock(real.parent, f"{real.name}.lock")


def sqlite_file(settings: Settings) -> Path | None:
    """The database's file; None when it's none of SQLite's."""
    url = settings.database_url.reveal()
    return Path(url.removeprefix(SQLITE).partition("?")[0]) if url.startswith(SQLITE) else None
