"""The fenced blocks of README.md and docs/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """*kind* is the first word after the fence; *no_run* says why it can't be run here, None when it can."""

    page: str
    line: int
    kind: str
    no_run: str | None
    text: str


def blocks() -> list[Block]:
    """All blocks of all pages, in order."""
    return [block for page in PAGES for block in _of(page)]


def of(page: str, kind: str) -> list[Block]:
    """The blocks of one page and kind that are run."""
    return [block for block in blocks() if (block.page, block.kind, block.no_run) == (page, kind, None)]


def _of(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for fence in re.finditer(r"^```(?P<info>.*)\n(?P<text>(?:.*\n)*?)```$", text, re.MULTILINE):
        kind, _, mark = fence["info"].strip().partition(" ")
        reason = mark.removeprefix("no-run:").strip() if mark.startswith("no-run:") else None
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(str(page.relative_to(ROOT)), line, kind, reason, fence["text"]))
    return found
