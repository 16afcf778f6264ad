from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "embedding.md").read_text()

# Run without the site's packages, so that nothing but the standard library and the station's own code is there.
ALONE: Final = [sys.executable, "-S", "-W", "error", "-c"]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_does_what_it_says_without_any_library() -> None:
    ran = subprocess.run(
        [*ALONE, block("python")],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ran.stderr == ""
    assert ran.stdout == block("text")


def test_the_example_takes_less_than_twenty_lines() -> None:
    lines = [line for line in block("python").splitlines() if line.strip()]

    assert len(lines) < 20


def test_the_page_names_nothing_that_is_not_there() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    files = [name for name in re.findall(r"`([\w/]+\.py)`", PAGE) if not (ROOT / "src" / name).exists()]
    names = [name for name in re.findall(r"`([A-Z][A-Za-z]+)`", PAGE) if not re.search(rf"class {name}\b", sources)]

    assert (files, names) == ([], [])
