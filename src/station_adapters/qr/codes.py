"""QR codes, as a picture and as text; the only file that knows segno."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import segno

SCALE: Final = 6  # pixels of a module: read by a phone from half a metre of screen
QUIET: Final = 4  # modules around it, ISO/IEC 18004 §9.1


def svg(text: str) -> str:
    """An SVG document; the code is black on white whatever it's shown on."""
    drawn = io.BytesIO()
    _code(text).save(drawn, kind="svg", scale=SCALE, border=QUIET, light="#fff", svgclass=None, lineclass=None)
    return drawn.getvalue().decode()


def blocks(text: str) -> str:
    """Lines of block characters, two rows of modules each, for a terminal with light letters on dark."""
    drawn = io.StringIO()
    _code(text).terminal(drawn, border=QUIET, compact=True)
    return drawn.getvalue().rstrip("\n")


def _code(text: str) -> segno.QRCode:
    import segno  # noqa: PLC0415  # a station draws once in its life

    return segno.make_qr(text, error="m")
