from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from station_app.cli import EXIT_CODES, exit_code
from station_app.cli.commands import app
from station_core.errors import StationError, StoreNewer, StoreUnavailable

if TYPE_CHECKING:
    from tests.unit.app.command import Terminal

HEAVY = {"litestar", "sqlalchemy", "alembic", "uvicorn", "aiomqtt", "structlog", "dependency_injector", "argon2"}
COMMANDS = [
    ("serve",),
    ("demo",),
    ("openapi",),
    ("config", "show"),
    ("config", "check"),
    ("config", "schema"),
    ("db", "status"),
    ("db", "upgrade"),
    ("db", "downgrade"),
]
ORDERS = [
    ("simulate",),
    ("simulate", "cloud"),
    ("status",),
    ("doctor",),
    ("log-level",),
    ("claim",),
    *(("user", name) for name in ("list", "add", "disable", "enable", "reset-password")),
    *(("device", name) for name in ("list", "add", "remove", "command")),
]
"""What is said to a station, or to many devices."""


def test_help_loads_nothing_that_only_a_station_needs() -> None:
    question = (
        "import sys\nfrom station_app.cli import main\ntry: main(['--help'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)

    assert "Commands" in ended.stdout
    assert not {name.partition(".")[0] for name in ended.stderr.split()} & HEAVY


def test_what_serves_for_months_carries_along_nothing_that_it_may_never_need() -> None:
    question = (
        "import sys\nfrom station_app.cli import main\nsys.argv = ['station', 'serve']\ntry: main()\n"
        "except SystemExit: pass\n"
        "from station_app.radio import radio\nfrom station_app.settings import load_settings\n"
        "assert radio(load_settings({'STATION_BLE_TRANSPORT': 'bleak'}), None) is not None\nprint(*sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", question],
        env={**os.environ, "STATION_DATA_DIR": "/dev/null/none"},
        capture_output=True,
        text=True,
        check=True,
    )

    needless = {"station_adapters.cloud.link", "cryptography.x509", "sqlalchemy.dialects.postgresql"}
    assert not needless & set(ended.stdout.split())
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert {"station_app", "litestar", "structlog"} <= loaded
    assert not loaded & {"cyclopts", "rich", "pygments", "prometheus_client", "alembic", "bleak", "asyncpg", "greenlet"}
    assert "segno" not in loaded


@pytest.mark.parametrize("new", [True, False], ids=["a new station", "one that has lived"])
def test_the_child_that_makes_tables_is_begun_before_anything_large_is_imported(tmp_path: Path, *, new: bool) -> None:
    if not new:
        (tmp_path / "sealing").touch()
    question = (
        "import sys\nimport station_app.cli.serve as serving\nfrom station_app.cli import main\n"
        "class Noting(serving.TablesChild):\n    def begin(self): print('begun beside', *sys.modules)\n"
        "serving.TablesChild = Noting\nserving.uvloop.run = lambda station: station.close()\nmain(['serve'])\n"
        "assert 'litestar' in sys.modules"
    )
    ended = subprocess.run(
        [sys.executable, "-c", question],
        env={**os.environ, "STATION_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout.startswith("begun beside ") is new
    assert not {"station_app.container", "sqlalchemy", "litestar", "aiomqtt"} & set(ended.stdout.split())


def test_routes_are_made_without_attrs_which_litestar_would_take_along() -> None:
    question = (
        "import sys\nsys.modules['rich'] = None\nimport station_app.cli.serve as serving\n"
        "from litestar import Litestar\nfrom station_app.cli import main\n"
        "serving.serve = lambda: Litestar([]) and print(*filter(sys.modules.get, sys.modules))\nmain(['serve'])"
    )
    ended = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)

    assert "litestar" in ended.stdout.split()
    assert not {"attr", "attrs"} & set(ended.stdout.split())


def test_over_postgresql_neither_an_object_relational_mapper_nor_sqlite_is_carried_along() -> None:
    question = (
        "import sys\nfrom station_adapters.sql.engine import open_database\nimport station_app.container\n"
        "from station_adapters.sql.commit import writer\n"
        "writer(open_database('postgresql+asyncpg://nobody@127.0.0.1/none'))\nprint(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)

    assert "sqlalchemy.dialects.postgresql.asyncpg" in ended.stdout.split()
    assert not {"sqlalchemy.orm", "sqlalchemy.ext.asyncio", "sqlite3"} & set(ended.stdout.split())


@pytest.mark.parametrize("words", [*COMMANDS, *ORDERS], ids=" ".join)
def test_each_command_has_help_with_its_exit_codes(station: Terminal, words: tuple[str, ...]) -> None:
    ended = station(*words, "--help")

    assert ended.code == 0
    assert "Exit codes: 0" in ended.out


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] not in {"serve", "demo"}], ids=" ".join)
def test_each_command_that_answers_has_examples_and_answers_in_json(station: Terminal, words: tuple[str, ...]) -> None:
    ended = station(*words, "--help")

    assert f"• station {' '.join(words)}" in ended.out
    assert "--json" in ended.out


@pytest.mark.parametrize("words", ORDERS, ids=" ".join)
def test_each_order_has_an_example_and_answers_in_json(station: Terminal, words: tuple[str, ...]) -> None:
    ended = station(*words, "--help")

    assert f"station {' '.join(words)}" in ended.out.partition("xample")[2]
    assert "--json" in ended.out


@pytest.mark.parametrize("words", [["nonsense"], ["serve", "--what"], ["db", "downgrade"], ["config", "show", "more"]])
def test_a_wrong_command_line_has_its_own_code(station: Terminal, words: list[str]) -> None:
    ended = station(*words)

    assert (ended.code, ended.out) == (64, "")
    assert ended.err


def test_the_version_is_that_of_the_installed_package(station: Terminal) -> None:
    assert station("--version").out == f"{version('station')}\n"


def test_the_nearest_kind_of_an_error_gives_the_code() -> None:
    assert exit_code(StoreNewer()) == 65
    assert exit_code(StoreUnavailable()) == 69
    assert exit_code(StationError()) == 1


def test_all_codes_are_in_the_help() -> None:
    told = str(app.help_epilogue)

    assert all(f"{code} " in told for code in EXIT_CODES.values())


def test_the_openapi_document_is_printed_without_a_station(station: Terminal) -> None:
    told, text = station("openapi", "--json"), station("openapi")

    assert told.json["openapi"].startswith("3.1")
    assert "/api/devices" in told.json["paths"]
    assert json.loads(text.out) == told.json


def test_a_reader_that_has_enough_is_no_failure() -> None:
    command = f"{sys.executable} -m station_app openapi | true"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert ended.stderr == ""


def test_all_codes_and_commands_are_in_the_documents() -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()

    assert all(f"\n| {code} | " in page for code in EXIT_CODES.values())
    assert [words for words in (*COMMANDS, *ORDERS) if f"`station {' '.join(words)}" not in page] == []
