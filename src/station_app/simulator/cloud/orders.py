"""
What a developer can tell a stand-in cloud, one order a line: typed, or from a script.

An empty line and one that begins with # are nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from station_core.errors import Malformed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from station_app.simulator.cloud.stand_in import StandInCloud

USAGE: Final = """\
call METHOD [JSON]     call the station, and wait for its answer
send JSON              send an object: {"type": "identity_sync", …} or any other
text TEXT              send a frame that may be no JSON
bytes HEX              send a binary frame
claim on|off           whether stations that ask are claimed (on)
accept                 accept tokens that a stand-in has given (as it does)
refuse CODE            answer station_auth by auth_error CODE: invalid_token, pending_reset, …
ignore                 don't answer station_auth
silent                 read nothing any more and answer no ping, on this connection
close [CODE]           end the connection with a goodbye (1000)
cut [BYTES]            end it at once; with BYTES: each one from now on after it was sent so many
whole                  the end of cut BYTES
wait TYPE [SECONDS]    wait until the station sends a message of this type or method (30)
pause SECONDS          wait
"""
WAIT: Final = 30.0  # seconds


class Orders:
    """Carries out orders, one after the other."""

    def __init__(self, cloud: StandInCloud) -> None:
        self._cloud = cloud
        self._waited: Counter[str] = Counter()
        self._verbs: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "call": self._call,
            "send": self._send,
            "text": self._text,
            "bytes": self._bytes,
            "claim": self._claim,
            "accept": self._accept,
            "refuse": self._refuse,
            "ignore": self._ignore,
            "silent": self._silent,
            "close": self._close,
            "cut": self._cut,
            "whole": self._whole,
            "wait": self._wait,
            "pause": self._pause,
        }

    async def carry_out(self, line: str) -> None:
        """Do what the line says; raise `Malformed` for none that we know, `Unavailable` without a station or answer."""
        verb, _, rest = line.strip().partition(" ")
        if not verb or verb.startswith("#"):
            return
        if verb not in self._verbs:
            raise Malformed(f"There is no order {verb}; there are {', '.join(self._verbs)}.")
        await self._verbs[verb](rest.strip())

    async def _call(self, rest: str) -> None:
        method, _, params = rest.partition(" ")
        if not method:
            raise Malformed("call METHOD [JSON]")
        await self._cloud.link.call(method, _json(params) if params else None)

    async def _send(self, rest: str) -> None:
        await self._cloud.link.say(_json(rest))

    async def _text(self, rest: str) -> None:
        await self._cloud.link.say(rest)

    async def _bytes(self, rest: str) -> None:
        try:
            frame = bytes.fromhex(rest)
        except ValueError:
            raise Malformed("bytes HEX") from None
        await self._cloud.link.say(frame)

    async def _claim(self, rest: str) -> None:
        if rest not in {"on", "off"}:
            raise Malformed("claim on|off")
        self._cloud.claims = rest == "on"

    async def _accept(self, _rest: str) -> None:
        self._cloud.answer = None

    async def _refuse(self, rest: str) -> None:
        self._cloud.answer = {"type": "auth_error", "code": rest or "invalid_token"}

    async def _ignore(self, _rest: str) -> None:
        self._cloud.answer = {}

    async def _silent(self, _rest: str) -> None:
        self._cloud.link.fall_silent()

    async def _close(self, rest: str) -> None:
        await self._cloud.link.close(int(_number(rest, 1000)))

    async def _cut(self, rest: str) -> None:
        if rest:
            self._cloud.cut_after = int(_number(rest, 0))
        else:
            self._cloud.link.cut()

    async def _whole(self, _rest: str) -> None:
        self._cloud.cut_after = None

    async def _wait(self, rest: str) -> None:
        kind, _, seconds = rest.partition(" ")
        try:
            async with asyncio.timeout(_number(seconds, WAIT)):
                await self._cloud.until(lambda: self._has_come(kind))
        except TimeoutError:
            raise Unavailable(f"No {kind} has come.") from None

    async def _pause(self, rest: str) -> None:
        await asyncio.sleep(_number(rest, 1.0))

    def _has_come(self, kind: str) -> bool:
        """Whether one has come that no order has waited for yet."""
        if self._cloud.heard[kind] <= self._waited[kind]:
            return False
        self._waited[kind] += 1
        return True


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Malformed(f"That's no JSON: {error}.") from None


def _number(text: str, usual: float) -> float:
    try:
        return float(text) if text else usual
    except ValueError:
        raise Malformed(f"{text} is no number.") from None
