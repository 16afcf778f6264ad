from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

GONE_WITHIN: Final = 5.0  # seconds from SIGTERM, in which it saves what it holds, to SIGKILL
_LOOKED_EVERY: Final = 0.01  # seconds


def end_orphan(pid_file: Path, configuration: Path) -> None:
    """
    End the broker that a killed station left behind: it holds the port, and what it held is saved only when it ends.

    Blocks for up to 10 s. A pid that is somebody else's by now is left alone: only a process that was started with this
    *configuration* is ours.
    """
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    for ending in (signal.SIGTERM, signal.SIGKILL):
        if not _is_ours(pid, configuration):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, ending)
        deadline = time.monotonic() + GONE_WITHIN
        while _is_ours(pid, configuration) and time.monotonic() < deadline:
            time.sleep(_LOOKED_EVERY)


def _is_ours(pid: int, configuration: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for a zombie
    except OSError:
        return False
    return os.fsencode(configuration) in command.split(b"\0")
