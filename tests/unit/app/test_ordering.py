from __future__ import annotations

import asyncio
import io
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.control.frames import LINE_BOUND, SOCKET_NAME
from station_adapters.control.server import ControlServer
from station_app.cli import ordering
from station_app.cli.output import answer, table
from station_core.errors import DeviceUnknown, Malformed, SettingInvalid, TooLarge, Unavailable

if TYPE_CHECKING:
    from pathlib import Path


async def carry_out(order: str, arguments: dict[str, Any]) -> Any:
    if order == "device remove":
        raise DeviceUnknown
    return arguments


async def test_a_running_station_answers_with_results_and_errors(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, carry_out)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        await server.listening.wait()
        answer = await asyncio.to_thread(ordering.ask, tmp_path, "echo", {"name": "Küche"})
        with pytest.raises(DeviceUnknown):
            await asyncio.to_thread(ordering.ask, tmp_path, "device remove", {})
        running.cancel()

    assert answer == {"name": "Küche"}


@pytest.mark.parametrize("left", [False, True], ids=["no socket", "a killed station's socket"])
def test_where_no_station_listens_nobody_is_there(tmp_path: Path, left: bool) -> None:  # noqa: FBT001  # a case
    if left:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / SOCKET_NAME))

    with pytest.raises(ordering.NobodyThere):
        ordering.ask(tmp_path, "status", {})


def test_an_order_over_the_bound_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        ordering.ask(tmp_path, "status", {"more": "x" * LINE_BOUND})


def test_without_a_station_there_is_no_status_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATION_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="isn't running"):
        ordering.order("status")
    with pytest.raises(SettingInvalid, match="no station in"):
        ordering.order("device list")

    assert not (tmp_path / "none").exists()


def test_a_password_is_the_first_line_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(" a b \nmore\n"))

    assert ordering.password() == " a b "


@pytest.mark.parametrize("again", ["same", "other"])
def test_at_a_terminal_it_is_typed_twice(monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed = iter(["same", again])
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    if again == "same":
        assert ordering.password() == "same"
    else:
        with pytest.raises(Malformed):
            ordering.password()


def test_an_answer_for_programs_is_one_line_and_for_people_it_is_words(capsys: pytest.CaptureFixture[str]) -> None:
    answer([{"name": "Küche", "up": True}], "-", as_json=True)
    answer({}, "two\nlines", as_json=False)

    assert capsys.readouterr().out == '[{"name":"Küche","up":true}]\ntwo\nlines\n'


def test_a_table_shows_no_control_characters() -> None:
    shown = table([{"name": "a\x1b[2Jb", "up": True}, {"up": None}], {"name": "NAME", "up": "UP"})

    assert shown == "NAME    UP\na�[2Jb  yes\n-       -"
