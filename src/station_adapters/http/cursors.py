"""Cursors of lists by name: the name itself, of the last that was shown, whether it's still there or not."""

from __future__ import annotations

import base64
import binascii

from station_core.errors import Malformed
from station_core.values import text_weight


def cursor_of(text: str) -> str:
    """The cursor that asks for what comes after this."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def text_in(cursor: str) -> str:
    """What `cursor_of` was given; raise `Malformed` for anything else."""
    text_weight(cursor)
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Malformed("This cursor is none of ours.") from None
