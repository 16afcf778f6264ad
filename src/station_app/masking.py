"""Keeps out of the logs what must not stand there, whoever wrote it there (decision 11)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

MASK: Final = "***"
DEEPEST: Final = 8  # levels of what is logged; below, it's left out

_WORDS: Final = r"pass(?:word|wd|phrase)|secret|token|authorization|cookie|credential|api[_-]?key"
_SECRET_KEY: Final = re.compile(_WORDS, re.IGNORECASE)
_IN_TEXT: Final = (
    # The password of a URL; up to the last @ of the word, for one that isn't percent-encoded.
    (re.compile(r"([a-z][a-z0-9+.-]{0,19}://[^\s:/?#@]{0,256}):\S{0,1024}@", re.IGNORECASE), rf"\1:{MASK}@"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), MASK),  # a JWT
    (re.compile(r"\b(bearer)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            rf"""((?:{_WORDS})\w{{0,20}}["']?\s*[:=]\s*)("[^"]*"|'[^']*'|(?:(?:bearer|basic)\s+)?[^\s"',;&)}}\]]+)""",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
)


def mask_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A processor of structlog: what a key calls a secret is masked, and what looks like one inside a text."""
    return _masked_mapping(event, 0)


def masked(text: str) -> str:
    """The text without the passwords of URLs, JWTs, bearers, and what it names as a password, token or secret."""
    for pattern, instead in _IN_TEXT:
        text = pattern.sub(instead, text)
    return text


def _masked_mapping(values: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
    return {
        key: MASK if value is not None and _SECRET_KEY.search(str(key)) else _masked(value, depth)
        for key, value in values.items()
    }


def _masked(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _masked_mapping(value, depth + 1) if depth < DEEPEST else "…"
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item, depth + 1) for item in value] if depth < DEEPEST else "…"
    if isinstance(value, bytes):
        return masked(value.decode(errors="replace"))
    return masked(value if isinstance(value, str) else repr(value))
