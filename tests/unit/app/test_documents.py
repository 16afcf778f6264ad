from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SOURCES = sorted(path for folder in ("src", "tests", "bench", "alembic") for path in (ROOT / folder).rglob("*.py"))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", page.read_text())
    dead = []
    for target in targets:
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)

    assert dead == []


def test_every_section_and_decision_that_code_refers_to_is_there() -> None:
    texts = {path: path.read_text() for path in SOURCES}
    sections = {number for text in texts.values() for number in re.findall(r"protocols\.md §(\d+)", text)}
    decisions = {number for text in texts.values() for number in re.findall(r"\(decision (\d+)", text)}
    protocols, architecture = ((ROOT / "docs" / name).read_text() for name in ("protocols.md", "architecture.md"))

    assert sections <= set(re.findall(r"^## (\d+)\. ", protocols, re.MULTILINE))
    assert decisions <= set(re.findall(r"^(\d+)\. \*\*", architecture, re.MULTILINE))
    assert sections
    assert decisions


def test_the_core_has_the_folders_and_files_that_the_architecture_tells() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    layout = architecture.partition("## Layout")[2].partition("```\n\n")[0]
    for part in ("station_core", "station_adapters", "station_app"):
        told = layout.partition(f"src/{part}/")[2].partition("src/")[0]
        missing = [
            path.name
            for path in (ROOT / "src" / part).iterdir()
            if not path.name.startswith(("_", "py.typed")) and path.name not in told
        ]

        assert missing == []
