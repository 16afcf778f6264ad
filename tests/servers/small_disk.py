"""A disk that is soon full: a tmpfs, mounted by root for all to see, by others in a namespace of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLD = 'mount -t tmpfs -o "$1" small "$2" && echo mounted && exec cat'  # until its input ends


@contextmanager
def mounted(folder: Path, size: str, mode: str = "0700") -> Iterator[Path]:
    """The disk at this folder; root's alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode={mode}", "small", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """
    The disk at a path that is for whoever doesn't resolve it: a namespace is entered through /proc.

    Where the system grants nobody but root a namespace, the test is skipped, in CI it fails.
    """
    with tempfile.TemporaryDirectory(prefix="small-disk-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # root's servers run as somebody else
        with mounted(folder, size, "0711") if os.geteuid() == 0 else _private(folder, size) as disk:
            yield disk


@contextmanager
def _private(folder: Path, size: str) -> Iterator[Path]:
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    holding = [*namespace, "sh", "-c", HOLD, "sh", f"size={size},mode=0711", str(folder)]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"mounted\n":
            if "CI" in os.environ:
                raise RuntimeError("only root may mount a small disk here")
            pytest.skip("only root may mount a small disk here; CI does")
        yield Path(f"/proc/{holder.pid}/root") / folder.relative_to("/")


def fill(ballast: Path) -> None:
    """Leave no room on the disk where *ballast* is."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 65_536)


def make_room(ballast: Path) -> None:
    """Give back what `fill` took."""
    ballast.unlink(missing_ok=True)
