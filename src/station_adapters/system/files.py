from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from station_core.errors import SettingInvalid, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE_LIMIT: Final = 64 * 1024  # bytes; no secret is longer
OWN_NAMES: Final = frozenset({"station.lock", "station.toml", "station.db"})
"""By any of these a folder is known to be the station's."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_ADVICE: Final = {
    errno.EACCES: "may not be used by the user that station runs as: change its permissions.",
    errno.EPERM: "may not be used by the user that station runs as: change its permissions.",
    errno.EROFS: "is on a read-only file system.",
    errno.ENOENT: "doesn't exist.",
    errno.ENOTDIR: "can't be: a part of the path is a file, not a folder.",
    errno.EEXIST: "is a file where a folder has to be: move it away.",
    errno.EISDIR: "is a folder where a file has to be: move it away.",
    errno.ELOOP: "is a symbolic link that leads nowhere.",
    errno.ENAMETOOLONG: "has a name that is too long.",
}


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What the operating system says about *path*, in the core's words: to be changed, full, or (else) passing."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"The disk is full: {path} can't be written.") from error
        if (advice := _ADVICE.get(error.errno or 0)) is not None:
            raise SettingInvalid(f"{path} {advice}") from error
        raise StoreUnavailable(f"{path}: {error.strerror or error}.") from error


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """
    Put *content* in the place of the file, whole or not at all; it survives a power cut once this returns.

    Raise `StoreFull`, `SettingInvalid` or `StoreUnavailable`; the file is then as it was.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with disk_errors(path):
        try:
            _write_new(fresh, content, mode)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def read_private(path: Path, limit: int = PRIVATE_LIMIT) -> bytes:
    """A file that others can neither read nor write, or raise `SettingInvalid` that says what to do."""
    with disk_errors(path), open(path, "rb", opener=_unblocked) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise SettingInvalid(f"{path} is no file.")
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise SettingInvalid(f"{path} is open to other users: chmod 600 it.")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise SettingInvalid(f"{path} is too large for what it should hold.")
    return content


def private_folder(path: Path) -> None:
    """
    Have a folder that is ours and that nobody else can enter, made if need be; else `SettingInvalid` says what to do.

    Raise `StoreFull` when there's no room in it: that passes, so a supervisor may try again.
    One that is open to others is closed when it's empty or known to be the station's, and refused otherwise.
    """
    try:
        with disk_errors(path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = path.stat()
            if found.st_uid != os.geteuid():
                raise SettingInvalid(
                    f"{path} belongs to user {found.st_uid}, but station runs as user {os.geteuid()}: "
                    "run it as that user, or chown the folder."
                )
            if stat.S_IMODE(found.st_mode) != 0o700:
                _close(path)
            _prove_writable(path)
    except StoreFull as error:
        raise StoreFull(f"The disk is full: make room for {path}.") from error


def _unblocked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would be waited for forever


def _close(path: Path) -> None:
    names = {entry.name for entry in path.iterdir()}
    if names and not names & OWN_NAMES:
        raise SettingInvalid(
            f"{path} is open to other users and holds files that aren't station's: "
            "name a folder that is station's alone, or chmod 700 this one."
        )
    path.chmod(0o700)


def _prove_writable(path: Path) -> None:
    probe = path / f".probe.{secrets.token_hex(8)}"
    try:
        _write_new(probe, bytes(4096), 0o600)
    finally:
        probe.unlink(missing_ok=True)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        os.fchmod(descriptor, mode)  # whatever the umask
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
