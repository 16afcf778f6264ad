"""
What libraries would take along though the station has no use for it, together 9 MB.

rich, of structlog, for tracebacks that show the values of local variables, passwords among them; pygments, of rich;
most of cryptography, of PyJWT, for signatures by other algorithms; greenlet, of structlog, for threads that are none.
Each does without.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """To whatever is imported meanwhile these packages aren't installed; one that has been imported already is."""
    modules = cast("dict[str, object]", sys.modules)
    absent = [package for package in packages if package not in modules]
    modules.update(dict.fromkeys(absent))  # None is a package that isn't there, says importlib
    try:
        yield
    finally:
        for package in absent:
            del modules[package]
