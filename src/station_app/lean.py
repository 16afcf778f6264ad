"""
How little a station that runs for months takes along, and how much it gives back.

What libraries would take along though the station has no use for it, together 10 MB.

rich, of structlog, for tracebacks that show the values of local variables, passwords among them; pygments, of rich;
most of cryptography, of PyJWT, for signatures by other algorithms; greenlet, of structlog, for threads that are none;
attrs, of Litestar, for routes whose bodies are its classes. Each does without.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


_M_MMAP_THRESHOLD: Final = -3  # mallopt(3), as the next
_M_ARENA_MAX: Final = -8
_LARGE: Final = 128 * 1024  # bytes: glibc's own bound, which it raises to 32 MiB as soon as something large was freed

_mallopt: Final = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone, as the other
_malloc_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back_what_is_large() -> None:
    """Have glibc give back at once what is large; its heap would keep it for good. Other C libraries are left alone."""
    if _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, _LARGE)


def share_one_heap() -> None:
    """Have glibc serve all threads, of which few are busy at once, from one heap: in one each, more lies free."""
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, 1)


def give_back_what_is_free() -> bool:
    """
    Have glibc give back the pages in its heap that hold nothing, and tell whether there were any.

    By itself it gives back only what lies behind the last that lives: one small thing that stays keeps a burst's MBs.
    Takes 2 ms, and behind a burst 1 ms for each 6 MB of it.
    """
    return _malloc_trim is not None and bool(_malloc_trim(0))


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
