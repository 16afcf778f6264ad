from __future__ import annotations

import json
import re

from station_core.errors import ChangeRefused

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON text


def check_content(content: object) -> None:
    """What no database can keep, this one doesn't either: numbers that aren't finite, text that isn't UTF-8, NUL."""
    try:
        text = json.dumps(content, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError) as error:
        raise ChangeRefused(type(error).__name__) from None
    if _NUL.search(text):
        raise ChangeRefused("NUL")
