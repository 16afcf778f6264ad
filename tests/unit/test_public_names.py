from __future__ import annotations

import ast
import importlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.public_names import MODULES, names_in, table, told

if TYPE_CHECKING:
    from collections.abc import Iterator


def entries(page: str) -> Iterator[str]:
    """`module: name`, and `module: Port.method`."""
    for module, names in re.findall(r"^\| `(station_core[\w.]+)` \| (.*) \|$", page, re.MULTILINE):
        for name, parts in re.findall(r"`(\w+)`(?: \(([^)]*)\))?", names):
            yield f"{module}: {name}"
            yield from (f"{module}: {name}.{part}" for part in re.findall(r"`(\w+)`", parts))


def test_the_public_names_are_those_that_the_guide_tells() -> None:
    present, pinned = set(entries(table())), set(entries(told()))
    appeared, vanished = sorted(present - pinned), sorted(pinned - present)

    if table() != told():
        pytest.fail(
            f"The public names of station_core have changed.\n  appeared: {', '.join(appeared) or 'none'}\n"
            f"  vanished: {', '.join(vanished) or 'none'}\nEmbedders build on them. If it's meant: "
            "`python -m tests.public_names` takes it into docs/embedding.md; a vanished one belongs in the changelog.",
            pytrace=False,
        )


@pytest.mark.parametrize("module", MODULES)
def test_each_public_name_can_be_imported(module: str) -> None:
    found = importlib.import_module(f"station_core.{module.removesuffix('.__init__')}")
    names = [entry.partition(": ")[2] for entry in entries(told()) if entry.startswith(f"{found.__name__}: ")]
    missing = [name for name in names if "." not in name and not hasattr(found, name)]

    assert names
    assert missing == []


def test_what_is_private_is_not_told() -> None:
    source = "log = getLogger()\nT = TypeVar('T')\n"
    source += "_X = 1\nY: Final = 2\nclass _A: ...\nclass B(Protocol):\n def m(self): ..."

    assert list(names_in(ast.parse(source))) == ["`Y`", "`B` (`m`)"]
