from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "embedding.md").read_text()
EXAMPLES: Final = sorted((ROOT / "examples").glob("*.py"))
PRINTED: Final = re.findall(r"```python\n(.*?)```\n\nIt prints\n\n```text\n(.*?)```", PAGE, re.DOTALL)
"""Programs of the page, and what they print."""

# Run without the site's packages, so that nothing but the standard library and the station's own code is there.
ALONE: Final = [sys.executable, "-S", "-W", "error", "-c"]


@pytest.mark.parametrize(("program", "output"), PRINTED, ids=["the smallest", "a day", "own ports"])
def test_each_program_does_what_the_page_says_without_any_library(program: str, output: str) -> None:
    ran = subprocess.run(
        [*ALONE, program],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ran.stderr == ""
    assert ran.stdout == output


def test_every_program_of_the_page_says_what_it_prints() -> None:
    assert len(PRINTED) == PAGE.count("```python")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_page_prints_each_example_as_it_is(path: Path) -> None:
    assert path.read_text() in [program for program, _ in PRINTED]


def test_the_smallest_example_takes_less_than_twenty_lines() -> None:
    lines = [line for line in PRINTED[0][0].splitlines() if line.strip()]

    assert len(lines) < 20


def test_the_page_names_nothing_that_is_not_there() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    prose = PAGE.partition("## Public names")[0]  # the table there has a test of its own
    files = [name for name in re.findall(r"`([\w/]+\.py)`", prose) if not (ROOT / "src" / name).exists()]
    names = [
        name
        for name in re.findall(r"`([A-Z][A-Za-z]+)`", prose)
        if name != "None" and not re.search(rf"class {name}\b", sources) and name != "Protocol"
    ]

    assert (files, names) == ([], [])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of somebody who has installed the station's wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("embedder")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    site = next((folder / "venv" / "lib").glob("python3*")) / "site-packages"
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return python


def typed(python: Path, program: Path) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MYPYPATH"}}
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", python, program],
        cwd=program.parent,
        env=outside,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_an_embedders_type_checker_sees_the_types_and_finds_the_examples_right(elsewhere: Path, tmp_path: Path) -> None:
    for number, (program, _) in enumerate(PRINTED):
        (tmp_path / f"example_{number}.py").write_text(program)
    together = tmp_path / "all.py"
    together.write_text("".join(f"import example_{number}  # noqa\n" for number in range(len(PRINTED))))
    verdict = typed(elsewhere, together)

    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_an_embedders_type_checker_finds_a_port_that_breaks_its_promise(elsewhere: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    own_ports = (ROOT / "examples" / "own_ports.py").read_text()
    wrong.write_text(own_ports.replace("async def sleep(self, seconds: float)", "async def doze(self, seconds: float)"))
    verdict = typed(elsewhere, wrong)

    assert verdict.returncode == 1
    assert '"QuickClock" is missing following "Clock" protocol member' in verdict.stdout
    assert "sleep" in verdict.stdout
