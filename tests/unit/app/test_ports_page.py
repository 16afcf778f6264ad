from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "ports.md").read_text()
ROWS: Final = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]


def classes(folder: str) -> dict[str, tuple[ast.ClassDef, str]]:
    """All classes below the folder, and in which file each is."""
    return {
        node.name: (node, str(path.relative_to(ROOT / "src")))
        for path in (ROOT / "src" / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }


def test_every_port_of_the_core_is_named_with_the_file_it_is_in() -> None:
    ports = {
        name: path
        for name, (node, path) in classes("station_core").items()
        if any(re.match(r"Protocol\b", ast.unparse(base)) for base in node.bases)
    }
    told = {port.strip("`"): where.strip("`") for port, where, *_ in ROWS}

    assert told == ports


def test_every_port_has_words_of_its_own() -> None:
    headings = " ".join(re.findall(r"^## (.*)$", PAGE, re.MULTILINE))

    assert [port for port, *_ in ROWS if port.strip("`") not in headings] == []


def test_adapters_and_suites_are_there() -> None:
    adapters = classes("station_adapters") | classes("station_core")
    named = {name for _, _, cell, _ in ROWS for name in re.findall(r"`(\w+)`", cell)}
    suites = {name for *_, cell in ROWS for name in re.findall(r"`(\w+\.py)`", cell)}

    assert named <= set(adapters)
    assert [name for name in suites if not (ROOT / "tests" / "contract" / name).exists()] == []
    assert suites
