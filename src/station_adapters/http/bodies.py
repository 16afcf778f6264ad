"""What comes in with a request: read whole, decoded in one pass by its type, whatever is wrong with it `Malformed`."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Any, Final

import msgspec
from litestar import Request

from station_core.errors import Malformed, TooLarge
from station_core.identity.model import Principal
from station_core.values import MAX_MESSAGE

WITHIN: Final = 15.0  # seconds for a body to come
_FIELD: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)


class StationRequest(Request[Principal, Any, Any]):
    """A request whose body is bounded in size and time, and decoded strictly as what its handler takes."""

    __slots__ = ("_whole",)

    async def body(self) -> bytes:
        """All of it; raise `TooLarge` over 64 KiB, `Malformed` when it breaks off or doesn't come."""
        try:
            return self._whole
        except AttributeError:
            self._whole: bytes = await self._read()
            return self._whole

    async def json(self) -> Any:
        """The body as the type that the handler's `data` is annotated with."""
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), Any if field is None else field.annotation)

    async def _read(self) -> bytes:
        told = next((value for name, value in self.scope["headers"] if name == b"content-length"), b"0")
        # The server has checked that it's a number of 64 bits, but not how many zeros stand before it.
        if int(told.lstrip(b"0") or b"0") > MAX_MESSAGE:
            raise TooLarge
        whole = b""
        try:
            async with asyncio.timeout(WITHIN):
                while True:
                    event = await self.receive()
                    if event["type"] != "http.request":
                        raise Malformed("The body broke off.")
                    whole += event["body"]
                    if len(whole) > MAX_MESSAGE:
                        raise TooLarge
                    if not event["more_body"]:
                        break
        except TimeoutError:
            raise Malformed("The body didn't come.") from None
        if not whole and self.route_handler.parsed_data_field is not None:
            raise Malformed("A body is missing.")
        return whole


def decode(raw: bytes | str, kind: Any) -> Any:
    """JSON as a *kind*; raise `Malformed`, which names the field that is wrong."""
    try:
        return _decoder(kind).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(_plainly(str(error))) from None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _plainly(message: str) -> str:
    found = _FIELD.fullmatch(message)
    what, path = (message, None) if found is None else found.group("what", "path")
    return f"{path}: {what}." if path else f"{what}."
