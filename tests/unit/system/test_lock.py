from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from station_adapters.system.lock import LOCK_NAME, FolderLock
from station_core.errors import SettingInvalid, StoreTaken

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import subprocess, sys
from pathlib import Path
from station_adapters.system.lock import FolderLock
FolderLock(Path(sys.argv[1])).acquire()
child = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_a_folder_is_one_stations_and_the_other_is_told_whose(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(StoreTaken, match=rf"process {os.getpid()}\) uses {tmp_path}"):
        FolderLock(tmp_path).acquire()


def test_a_released_folder_can_be_taken_again_and_the_file_stays(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    for _ in range(3):
        with lock:
            pass
    lock.release()

    assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600
    with FolderLock(tmp_path):
        pass


def test_an_attempt_that_failed_leaves_the_holder_in_peace(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        for _ in range(3):
            with pytest.raises(StoreTaken):
                FolderLock(tmp_path).acquire()

        with pytest.raises(StoreTaken):
            FolderLock(tmp_path).acquire()


def test_a_killed_station_leaves_its_folder_free_even_when_its_children_live_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as station:
        assert station.stdout is not None
        child = int(station.stdout.readline())
        try:
            with pytest.raises(StoreTaken, match=f"process {station.pid}"):
                FolderLock(tmp_path).acquire()
            station.kill()
            station.wait()
            os.kill(child, 0)

            with FolderLock(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_without_its_folder_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="doesn't exist"):
        FolderLock(tmp_path / "missing").acquire()


def test_a_symbolic_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "precious")

    with pytest.raises(SettingInvalid):
        FolderLock(tmp_path).acquire()
    assert (tmp_path / "precious").read_text() == "kept"
