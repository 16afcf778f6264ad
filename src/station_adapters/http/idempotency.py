"""Writes that may be sent again: Idempotency-Key (docs/protocols.md §4, "Sending again")."""

from __future__ import annotations

import hashlib
import re
from dataclasses import fields, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from litestar import Response
from litestar.enums import ScopeType
from litestar.response.base import ASGIResponse

from station_adapters.http.answers import Answer
from station_core.errors import Malformed

if TYPE_CHECKING:
    from litestar import Request
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from station_adapters.http.answers import Answers
    from station_adapters.http.guards import Check, Guards

PASSING: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that the same request doesn't meet a minute later: they aren't kept, as none from 500 on is."""
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NO_PEOPLE: Final = frozenset({"device", "agent"})
"""The guards of those who have no keys."""
KEY: Final = b"idempotency-key"
REPLAYED: Final = "idempotent-replayed"

_BEARS_A_SECRET: Final = "bears_a_secret"  # noqa: S105  # a name
BEARS_A_SECRET: Final[dict[str, Any]] = {_BEARS_A_SECRET: True}
"""The `opt` of a person's writes whose answers carry a secret: such an answer is kept for minutes only."""

_QUOTED: Final = re.compile(rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')
_ESCAPED: Final = re.compile(rb'\\(["\\])')
_BARE: Final = re.compile(rb"[A-Za-z0-9._~:+/=-]{1,255}")
_ATTEMPT: Final = "attempt"


class Attempt:
    """A write that bears a key, until its answer is known."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._claim: tuple[str, str] | None = None
        self._briefly = False
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    def first(self, person: str, key: str, fingerprint: bytes, *, briefly: bool) -> Answer | None:
        """The answer that the first such write got; None when this is the first, whose answer is heard then."""
        known = self._answers.first(person, key, fingerprint)
        if known is None:
            self._claim, self._briefly = (person, key), briefly
        return known

    def hear(self, message: Message) -> None:
        """Part of the answer; before its last part is sent, it's kept."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
        elif message["type"] == "http.response.body":
            self._body += message["body"]
            holds = self._status < HTTPStatus.INTERNAL_SERVER_ERROR and self._status not in PASSING
            if self._claim is not None and not message["more_body"] and holds:
                answer = Answer(self._status, self._headers, self._body)
                self._answers.keep(*self._claim, answer, briefly=self._briefly)
                self._claim = None

    def end(self) -> None:
        """What wasn't kept by now isn't: who sends it again does it anew."""
        if self._claim is not None:
            self._answers.forget(*self._claim)
            self._claim = None


class Repeats:
    """Overhears what is answered to writes that bear a key. Plain ASGI; all other requests only pass."""

    def __init__(self, inside: ASGIApp, answers: Answers) -> None:
        self._inside = inside
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, and what is answered."""
        if scope["type"] != ScopeType.HTTP or scope["method"] not in WRITES or not keys_of(scope):
            await self._inside(scope, receive, send)
            return
        # What is kept may be asked for again by a client that can't unpack it.
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        attempt = scope["state"][_ATTEMPT] = Attempt(self._answers)

        async def overhear(message: Message) -> None:
            attempt.hear(message)
            await send(message)

        try:
            await self._inside(scope, receive, overhear)
        finally:
            attempt.end()


def repeatable(guards: Guards) -> Guards:
    """
    The same guards; whom those of people let in with a write that was answered already gets that answer.

    Behind the guard, so that who has lost a right reads no answer of theirs either.
    """
    people = [field.name for field in fields(guards) if field.name not in NO_PEOPLE]
    return replace(guards, **{name: _then_recalls(getattr(guards, name)) for name in people})


def _then_recalls(check: Check) -> Check:
    async def check_and_recall(request: Request[Any, Any, Any]) -> Response[bytes] | None:
        await check(request)
        return await _recalled(request)

    return check_and_recall


async def _recalled(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    attempt: Attempt | None = request.scope["state"].get(_ATTEMPT)
    if attempt is None:
        return None
    known = attempt.first(
        request.scope["user"].user.id,
        key_in(keys_of(request.scope)),
        await _fingerprint(request),
        briefly=_BEARS_A_SECRET in request.scope["route_handler"].opt,
    )
    if known is None:
        return None
    return _Again(known)


class _Again(Response[bytes]):
    """An answer as it was, with each of its headers, of which some may be there twice."""

    def __init__(self, known: Answer) -> None:
        super().__init__(known.body)
        self._known = known

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """See Litestar."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._known.headers]
        return ASGIResponse(
            body=self._known.body, status_code=self._known.status, headers=[*headers, (REPLAYED, "true")]
        )


def keys_of(scope: Scope) -> list[bytes]:
    """The Idempotency-Key headers, as they came."""
    return [value for name, value in scope["headers"] if name == KEY]


def key_in(values: list[bytes]) -> str:
    """The key: a quoted string (RFC 8941), or bare as many clients send it; raise `Malformed`."""
    if len(values) == 1:
        if _BARE.fullmatch(value := values[0].strip(b" \t")):
            return value.decode()
        if quoted := _QUOTED.fullmatch(value):
            return _ESCAPED.sub(rb"\1", quoted[1]).decode()
    raise Malformed("Idempotency-Key is a quoted string of 1 to 255 printable ASCII characters, once.")


async def _fingerprint(request: Request[Any, Any, Any]) -> bytes:
    """What makes it the same request."""
    scope = request.scope
    said = hashlib.sha256()
    conditions = [value for name, value in scope["headers"] if name == b"if-match"]
    for part in (scope["method"].encode(), scope["raw_path"], scope["query_string"], *conditions):
        said.update(part + b"\n")  # none of them holds one
    said.update(b"\n" + await request.body())
    return said.digest()
