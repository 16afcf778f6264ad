"""
The names of `station_core` that embedders may use, read from the sources; run as a program it renews their table.

A class that is a port is told with its methods, `Home` with its parts: whoever implements or uses them needs each.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "embedding.md"
BEGIN: Final = "<!-- by `python -m tests.public_names` -->\n"
END: Final = "<!-- end -->\n"
MODULES: Final = (
    "home",
    "clock",
    "events",
    "values",
    "journal.__init__",
    "audit.model",
    "audit.ports",
    "devices.commands",
    "devices.events",
    "devices.model",
    "devices.ports",
    "devices.types",
    "identity.model",
    "identity.ports",
)
NOT_NAMES: Final = {"getLogger", "TypeVar"}  # what they make is the module's own


def table() -> str:
    """As the page has it."""
    lines = ["| module | names |", "|---|---|"]
    for module in MODULES:
        tree = ast.parse((ROOT / "src" / "station_core" / f"{module.replace('.', '/')}.py").read_text())
        names = sorted(names_in(tree), key=str.casefold)
        lines.append(f"| `station_core.{module.removesuffix('.__init__')}` | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


def names_in(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) if not name.startswith("_"):
                parts = ", ".join(f"`{part}`" for part in sorted(parts_of(node)))
                yield f"`{name}` ({parts})" if parts else f"`{name}`"
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not name.startswith("_"):
                yield f"`{name}`"
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                yield from (f"`{name}`" for name in ast.literal_eval(value))
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if not name.startswith("_") and not is_private(node.value):
                    yield f"`{name}`"
            case _:
                pass


def is_private(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in NOT_NAMES


def parts_of(node: ast.ClassDef) -> set[str]:
    """The methods of a port; what a home consists of."""
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}
    parts: set[str] = set()
    if any(ast.unparse(base).partition("[")[0] == "Protocol" for base in node.bases):
        parts = methods
    elif node.name == "Home":
        targets = {item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute) and is_bound(item)}
        parts = methods | targets
    return {part for part in parts if not part.startswith("_")}


def is_bound(item: ast.Attribute) -> bool:
    return isinstance(item.ctx, ast.Store) and isinstance(item.value, ast.Name) and item.value.id == "self"


def told() -> str:
    """The table that the page has."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def renew() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])


if __name__ == "__main__":
    renew()
