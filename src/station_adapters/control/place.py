from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH_BOUND: Final = 107  # bytes of sun_path, unix(7), without the zero at its end


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """Where to bind or connect for a socket at *path*: by its folder's descriptor when the path is too long."""
    if len(os.fsencode(path)) <= PATH_BOUND:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
