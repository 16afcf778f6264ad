from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from station_adapters.system.files import disk_errors, private_folder, read_private, write_atomically
from station_core.errors import SettingInvalid, StationError, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.geteuid() == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    former = os.umask(0o022)
    yield tmp_path
    os.umask(former)


class TestWriteAtomically:
    def test_what_was_written_is_there_and_nobody_else_can_read_it(self, folder: Path) -> None:
        write_atomically(folder / "secret", b"one")
        write_atomically(folder / "secret", b"two")

        assert (folder / "secret").read_bytes() == b"two"
        assert mode(folder / "secret") == 0o600
        assert names(folder) == ["secret"]

    @pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
    def test_the_mode_is_as_asked_whatever_the_umask(self, folder: Path, umask: int) -> None:
        os.umask(umask)
        write_atomically(folder / "public", b"", mode=0o644)

        assert mode(folder / "public") == 0o644

    def test_a_symbolic_link_is_replaced_not_followed(self, folder: Path) -> None:
        (folder / "other").write_bytes(b"other")
        (folder / "link").symlink_to(folder / "other")

        write_atomically(folder / "link", b"new")

        assert (folder / "other").read_bytes() == b"other"
        assert (folder / "link").read_bytes() == b"new"

    def test_large_content_is_written_whole(self, folder: Path) -> None:
        content = os.urandom(3_000_000)

        write_atomically(folder / "large", content)

        assert (folder / "large").read_bytes() == content

    def test_the_content_is_on_the_disk_before_its_name_is_and_then_the_name_too(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "file").write_bytes(b"old")
        really, seen = os.fsync, []

        def fsync(descriptor: int) -> None:
            synced = Path(f"/proc/self/fd/{descriptor}").readlink()
            content = synced.read_bytes() if synced.is_file() else synced
            seen.append((content, (folder / "file").read_bytes()))
            really(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        write_atomically(folder / "file", b"new")

        assert seen == [(b"new", b"old"), (folder, b"new")]

    def test_when_it_fails_the_file_is_as_it_was_and_nothing_lies_about(self, folder: Path) -> None:
        (folder / "taken").mkdir()
        (folder / "taken" / "child").write_bytes(b"")

        with pytest.raises(SettingInvalid):
            write_atomically(folder / "taken", b"x")

        assert names(folder) == ["taken"]

    def test_without_its_folder_it_says_so(self, folder: Path) -> None:
        with pytest.raises(SettingInvalid, match="doesn't exist"):
            write_atomically(folder / "missing" / "file", b"x")


class TestReadPrivate:
    def test_a_private_file_is_read(self, folder: Path) -> None:
        write_atomically(folder / "secret", b"content")

        assert read_private(folder / "secret") == b"content"

    @pytest.mark.parametrize("permissions", [0o604, 0o644, 0o602, 0o620, 0o666, 0o777])
    def test_one_that_is_open_to_others_is_refused(self, folder: Path, permissions: int) -> None:
        write_atomically(folder / "secret", b"canary", mode=permissions)

        with pytest.raises(SettingInvalid, match="chmod 600") as refused:
            read_private(folder / "secret")
        assert "canary" not in str(refused.value)

    def test_a_group_may_hand_it_to_the_station(self, folder: Path) -> None:
        write_atomically(folder / "secret", b"content", mode=0o440)

        assert read_private(folder / "secret") == b"content"

    def test_a_folder_and_a_pipe_are_no_files(self, folder: Path) -> None:
        os.mkfifo(folder / "pipe", 0o600)

        with pytest.raises(SettingInvalid, match="is a folder"):
            read_private(folder)
        with pytest.raises(SettingInvalid, match="is no file"):
            read_private(folder / "pipe")

    def test_none_is_told(self, folder: Path) -> None:
        with pytest.raises(SettingInvalid, match="doesn't exist"):
            read_private(folder / "missing")

    def test_one_that_is_far_too_large_is_refused(self, folder: Path) -> None:
        write_atomically(folder / "large", bytes(70_000))

        with pytest.raises(SettingInvalid, match="too large"):
            read_private(folder / "large")


class TestPrivateFolder:
    def test_it_is_made_with_all_above_it(self, folder: Path) -> None:
        private_folder(folder / "a" / "b")

        assert mode(folder / "a" / "b") == 0o700
        assert names(folder / "a" / "b") == []

    def test_one_that_is_private_is_left_alone(self, folder: Path) -> None:
        (folder / "mine").mkdir(mode=0o700)
        (folder / "mine" / "photo").write_bytes(b"")

        private_folder(folder / "mine")

        assert names(folder / "mine") == ["photo"]

    @pytest.mark.parametrize("name", [None, "station.db", "station.lock", "station.toml"])
    def test_an_empty_one_and_the_stations_own_are_closed_to_others(self, folder: Path, name: str | None) -> None:
        (folder / "data").mkdir(mode=0o755)
        if name is not None:
            (folder / "data" / name).write_bytes(b"")

        private_folder(folder / "data")

        assert mode(folder / "data") == 0o700

    def test_one_that_others_use_is_refused_and_stays_as_it_is(self, folder: Path) -> None:
        (folder / "shared").mkdir(mode=0o755)
        (folder / "shared" / "photo").write_bytes(b"")

        with pytest.raises(SettingInvalid, match="chmod 700"):
            private_folder(folder / "shared")

        assert mode(folder / "shared") == 0o755

    def test_a_file_in_its_place_is_told(self, folder: Path) -> None:
        (folder / "file").write_bytes(b"")

        with pytest.raises(SettingInvalid, match="is a file where a folder has to be"):
            private_folder(folder / "file")
        with pytest.raises(SettingInvalid, match="a part of the path is a file"):
            private_folder(folder / "file" / "data")

    def test_one_of_another_user_is_refused(self, folder: Path) -> None:
        foreign = folder if ROOT else Path("/usr")
        if ROOT:
            os.chown(foreign, 12_345, 12_345)

        with pytest.raises(SettingInvalid, match=f"belongs to user {foreign.stat().st_uid}, but station runs as user"):
            private_folder(foreign)

    def test_where_nothing_can_be_written_it_says_so(self) -> None:
        with pytest.raises(SettingInvalid, match=r"permissions|read-only|doesn't exist"):
            private_folder(Path("/sys/station-data"))


class TestDiskErrors:
    @pytest.mark.parametrize(
        ("number", "error"),
        [
            (errno.ENOSPC, StoreFull),
            (errno.EDQUOT, StoreFull),
            (errno.EACCES, SettingInvalid),
            (errno.EROFS, SettingInvalid),
            (errno.ENOTDIR, SettingInvalid),
            (errno.EIO, StoreUnavailable),
            (errno.EMFILE, StoreUnavailable),
        ],
    )
    def test_what_the_system_says_is_told_in_our_words(self, number: int, error: type[StationError]) -> None:
        with pytest.raises(error, match="/data/station"), disk_errors(Path("/data/station")):
            raise OSError(number, os.strerror(number))

    def test_a_full_disk_is_told_as_that(self) -> None:
        full = Path("/dev/full")

        with (
            pytest.raises(StoreFull, match="The disk is full"),
            disk_errors(full),
            full.open("wb", buffering=0) as file,
        ):
            file.write(b"x")
