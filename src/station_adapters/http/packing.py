"""Which answers are compressed: those that are worth it and hold no secret, for its length would tell of it."""

from __future__ import annotations

from typing import Any, Final

from litestar.config.compression import CompressionConfig

WORTH_IT: Final = 1024  # bytes

_NEVER: Final = "never_packed"
NEVER_PACKED: Final[dict[str, Any]] = {_NEVER: True}
"""
The `opt` of routes whose answers carry a token, or a strong ETag (which stands for these very bytes).

Also of the one whose answers are always small and always waited for: not to be asked whether it's worth it is faster.
"""


def packing() -> CompressionConfig:
    """gzip, for who asks for it."""
    return CompressionConfig(backend="gzip", minimum_size=WORTH_IT, exclude_opt_key=_NEVER)
