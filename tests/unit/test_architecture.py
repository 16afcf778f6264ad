"""The rules of the house, walked by a machine (docs/architecture.md)."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import station_core.errors
import station_core.identity.errors
import station_core.provisioning.errors
from station_core.errors import StationError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
CORE: Final = sorted((ROOT / "src" / "station_core").rglob("*.py"))
SOURCES: Final = sorted((ROOT / "src").rglob("*.py"))
OURS: Final = sorted(path for folder in ("src", "tests", "bench", "alembic") for path in (ROOT / folder).rglob("*.py"))
LONGEST: Final = 300  # lines
CONTRACTS: Final = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]

# A contract's name begins so → where a line that breaks it is added, and the line.
BREACHES: Final = [
    ("The core knows no adapter", "station_core/events.py", "import station_adapters.memory.clock"),
    ("The core knows no adapter", "station_adapters/memory/clock.py", "import station_app"),
    ("Inside the core", "station_core/identity/model.py", "import station_core.devices.model"),
    ("Inside the core", "station_core/devices/model.py", "import station_core.identity.model"),
    ("Inside the core", "station_core/errors.py", "import station_core.values"),
    ("Inside the core", "station_core/journal/batch.py", "import station_core.health"),
    ("Inside the core", "station_core/audit/model.py", "import station_core.identity.model"),
    ("Inside the core", "station_core/astray.py", "import station_core.errors"),
    ("Adapters are strangers", "station_adapters/memory/link.py", "import station_adapters.mqtt"),
    ("aiomqtt and paho", "station_adapters/http/__init__.py", "import aiomqtt"),
    ("aiomqtt and paho", "station_adapters/mosquitto/__init__.py", "import paho.mqtt.client"),
    ("SQLAlchemy, Alembic and asyncpg", "station_adapters/memory/link.py", "import sqlalchemy"),
    ("SQLAlchemy, Alembic and asyncpg", "station_core/values.py", "import sqlite3"),
    ("Litestar and uvicorn", "station_adapters/mqtt/__init__.py", "import litestar"),
    ("PyJWT, argon2 and bcrypt", "station_adapters/http/__init__.py", "import jwt"),
    ("prometheus-client", "station_adapters/http/__init__.py", "import prometheus_client"),
    ("segno", "station_adapters/http/__init__.py", "import segno"),
    ("bleak", "station_adapters/system/__init__.py", "import bleak"),
    ("websockets", "station_adapters/http/__init__.py", "import websockets"),
    ("dependency-injector", "station_adapters/system/__init__.py", "import dependency_injector"),
]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield node.module or "."
            case _:
                pass


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_core_imports_nothing_but_the_standard_library_and_itself(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imports(ast.parse(path.read_text()))}

    assert roots <= {*sys.stdlib_module_names, "station_core"}


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES, ids=[f"{file}: {line}" for _, file, line in BREACHES])
def test_a_line_that_breaks_a_contract_is_found(tmp_path: Path, contract: str, file: str, line: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / file).open("a") as source:
        source.write(f"\n{line}\n")

    verdict = lint_imports(tmp_path)

    assert verdict.returncode == 1
    broken = [name for name in CONTRACTS if f"{name} BROKEN" in words(verdict.stdout)]
    assert any(name.startswith(contract) for name in broken)


def test_each_contract_is_broken_once_on_purpose() -> None:
    assert {name for name in CONTRACTS if any(name.startswith(begin) for begin, _, _ in BREACHES)} == set(CONTRACTS)


def test_as_it_is_the_house_keeps_all_its_contracts() -> None:
    verdict = lint_imports(ROOT)

    assert verdict.returncode == 0, verdict.stdout


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "lint-imports", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def words(text: str) -> str:
    """Without the line breaks that a narrow terminal puts into a contract's name."""
    return " ".join(text.split())


def test_the_tree_of_errors_is_the_one_its_docstring_draws() -> None:
    drawn: list[tuple[str, str | None, str | None]] = []
    ancestors: dict[int, str] = {}
    for line in (station_core.errors.__doc__ or "").splitlines():
        branch = re.fullmatch(r"([│├└─ ]*)([A-Z]\w+)(?:\s+([a-z_]+))?(?:\s{2,}.*)?", line)
        if branch is not None:
            depth = len(branch[1]) // 4
            ancestors[depth] = branch[2]
            drawn.append((branch[2], ancestors.get(depth - 1), branch[3]))

    assert drawn == list(tree(StationError))


def tree(error: type[StationError], parent: str | None = None) -> Iterator[tuple[str, str | None, str | None]]:
    yield error.__name__, parent, error.code if parent else None
    for child in error.__subclasses__():
        if child.__module__.startswith("station_core."):
            yield from tree(child, error.__name__)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [code for _, _, code in tree(StationError)]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("path", OURS, ids=named)
def test_no_file_is_too_long_to_read(path: Path) -> None:
    lines = path.read_text().count("\n")

    assert lines <= LONGEST


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_every_task_belongs_to_a_group(path: Path) -> None:
    tree = ast.parse(path.read_text())
    groups = groups_of(tree)

    strays = [
        f"line {call.lineno}: {ast.unparse(call.func)}"
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and re.search(r"(^|\.)create_task$", ast.unparse(call.func))
        and ast.unparse(call.func).rpartition(".")[0] not in groups
    ]
    assert strays == []


def groups_of(tree: ast.AST) -> set[str]:
    """What stands for a TaskGroup: names bound by `async with` or annotated so, and what they are assigned to."""
    groups: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.withitem(context_expr=ast.Call() as call, optional_vars=ast.expr() as name):
                if ast.unparse(call.func).endswith("TaskGroup"):
                    groups.add(ast.unparse(name))
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                if ast.unparse(annotation).endswith("TaskGroup"):
                    groups.add(name)
            case _:
                pass
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and ast.unparse(node.value) in groups]
    return groups | {ast.unparse(node.targets[0]) for node in assigned}
