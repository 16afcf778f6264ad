"""What a decoded frame is: a plain object, an answer, a request, or none of these."""

from __future__ import annotations

from typing import Any, Final

VERSION: Final = "2.0"


def is_plain(message: Any) -> bool:
    """Whether it's an object with a `type` and nothing of JSON-RPC."""
    return (
        isinstance(message, dict)
        and isinstance(message.get("type"), str)
        and not {"method", "jsonrpc"} & message.keys()
        and not ("id" in message and {"result", "error"} & message.keys())
    )


def is_answer(message: Any) -> bool:
    """Whether it's an answer, of whatever shape: what has no method and a result or an error."""
    return isinstance(message, dict) and "method" not in message and ("result" in message or "error" in message)


def is_request(message: Any) -> bool:
    """Whether it's a call or a notification in its right shape."""
    if not isinstance(message, dict) or message.get("jsonrpc", VERSION) != VERSION:
        return False
    id_, params = message.get("id"), message.get("params")
    return (
        isinstance(message.get("method"), str)
        and not isinstance(id_, bool | list | dict)
        and (params is None or isinstance(params, list | dict))
    )
