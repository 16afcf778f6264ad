from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING

import pytest

from station_adapters.system.notify import READY, STOPPING, notify

if TYPE_CHECKING:
    from pathlib import Path


def heard(bound_to: str, address: str) -> list[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(bound_to)
        systemd.settimeout(5)
        notify(READY, address)
        notify(STOPPING, address)
        return [systemd.recv(100), systemd.recv(100)]


def test_systemd_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")

    assert heard(path, path) == [b"READY=1", b"STOPPING=1"]


def test_systemd_is_told_on_an_abstract_socket() -> None:
    name = f"station-test-{os.getpid()}"

    assert heard(f"\0{name}", f"@{name}") == [b"READY=1", b"STOPPING=1"]


def test_the_address_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)

    assert heard(path, "") == [b"READY=1", b"STOPPING=1"]


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    notify(READY)

    assert caplog.text == ""


@pytest.mark.parametrize("listens", [True, False])
def test_a_deaf_systemd_stops_nobody(*, tmp_path: Path, caplog: pytest.LogCaptureFixture, listens: bool) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, caplog.at_level(logging.WARNING):
        if listens:
            systemd.bind(path)
        for _ in range(2_000):
            notify(READY, path)
            if caplog.text:
                break

    assert "systemd can't be told" in caplog.text
