"""What a command answers: for people, or as JSON on one line for programs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

NOBODY_READS: Final = 141  # as a shell tells of SIGPIPE: `station … | head` is no failure of ours

Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="", help="Answer as JSON on one line.")]


def answer(content: Any, text: str, *, as_json: bool) -> None:
    """Print one of the two on standard output."""
    _print(msgspec.json.encode(content).decode() if as_json else text)


def document(content: Any, *, as_json: bool) -> None:
    """Print what is JSON anyway: on one line, or laid out for people."""
    line = msgspec.json.encode(content)
    _print((line if as_json else msgspec.json.format(line, indent=2)).decode())


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as columns of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def table(rows: Sequence[dict[str, Any]], headings: dict[str, str]) -> str:
    """What an order told of several things, a row each; *headings*: key → heading."""
    return columns([tuple(headings.values()), *(tuple(_cell(row.get(key)) for key in headings) for row in rows)])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(letter if letter.isprintable() else "�" for letter in str(value))


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        sys.exit(NOBODY_READS)
