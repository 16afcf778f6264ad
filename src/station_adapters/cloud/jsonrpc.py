"""
JSON-RPC 2.0 as either end of a link speaks it: texts in, values out, and back; no I/O, no clock of its own.

A frame without `jsonrpc` is accepted: the cloud's own lack it (docs/protocols.md §3). A *plain* object, one with a
`type` and nothing of JSON-RPC, is told apart. An answer is never answered.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from station_adapters.cloud import faults
from station_adapters.cloud.faults import Fault
from station_adapters.cloud.shapes import VERSION, is_answer, is_plain, is_request
from station_core.errors import CloudRefused, CloudUnavailable, Malformed, RateLimited
from station_core.values import value_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from station_core.errors import StationError
    from station_core.values import Value

Id: TypeAlias = "str | int | float | None"
Params: TypeAlias = "list[Value] | dict[str, Value] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an end bears: bytes of a frame, entries of a batch, calls open in each direction, malformed ones a time."""

    frame: int = 1024 * 1024
    batch: int = 100
    answering: int = 256
    asking: int = 256
    malformed: int = 20
    malformed_within: float = 60.0


LIMITS: Final = Limits()


class Request:
    """Something to do; `reply` or `refuse` it, a notification too (nobody is told then)."""

    __slots__ = ("_batch", "_slot", "id", "method", "notification", "open", "params")

    def __init__(self, body: dict[str, Any], batch: _Batch | None, slot: int) -> None:
        self.method: str = body["method"]
        self.params: Params = body.get("params")
        self.notification = "id" not in body
        self.id: Id = body.get("id")
        self.open = True
        self._batch = batch
        self._slot = slot

    def close(self, response: bytes) -> bytes | None:
        """The frame that is complete by this response; None while others of its batch are open."""
        return response if self._batch is None else self._batch.fill(self._slot, response)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a call of ours."""

    id: int
    result: Value = None
    error: StationError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """An object that is no JSON-RPC."""

    type: str
    body: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Say:
    """A frame to be sent."""

    frame: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """The other end talks nonsense: the link is to be closed."""


Incoming: TypeAlias = "Request | Answer | Plain | Say | HangUp"


class Peer:
    """
    One end of one link; *monotonic* tells seconds.

    `counts`: answers to nothing (unknown, late, or for the second time) and unusable ones, malformed frames, requests
    beyond the bound.
    """

    def __init__(self, monotonic: Callable[[], float], limits: Limits = LIMITS) -> None:
        self._monotonic = monotonic
        self._limits = limits
        self._last_id = 0
        self._asked: dict[int, float] = {}
        self._answering = 0
        self._malformed: deque[float] = deque(maxlen=limits.malformed)
        self.counts: Counter[str] = Counter()

    def call(self, method: str, params: Params = None, *, within: float) -> tuple[int, str]:
        """The call's id and its frame; its `Answer` comes within so many seconds, see `expired`."""
        if len(self._asked) >= self._limits.asking:
            raise RateLimited("Too many calls to the cloud are under way.", retry_after=1.0)
        self._last_id += 1
        frame = self.notify(method, params, id=self._last_id)
        self._asked[self._last_id] = self._monotonic() + within
        return self._last_id, frame

    def notify(self, method: str, params: Any = None, **more: Id) -> str:
        """A notification's frame; *params* is what msgspec can encode."""
        body = {"jsonrpc": VERSION, "method": method, **({} if params is None else {"params": params}), **more}
        return msgspec.json.encode(body).decode()

    def reply(self, request: Request, result: Any) -> str | None:
        """The frame to be sent now, if any; raise what msgspec raises for a result that is no JSON."""
        response = msgspec.json.encode({"jsonrpc": VERSION, "result": result, "id": request.id})
        return self._close(request, response)

    def refuse(self, request: Request, fault: Fault) -> str | None:
        """As `reply`."""
        return self._close(request, _error(fault, request.id))

    def due(self) -> float | None:
        """When the next call of ours has waited long enough; None without one."""
        return min(self._asked.values(), default=None)

    def expired(self) -> Sequence[Answer]:
        """The calls that have waited long enough by now; their answers will be late."""
        now = self._monotonic()
        return [self._lost(id_) for id_, due in list(self._asked.items()) if due <= now]

    def over(self) -> Sequence[Answer]:
        """The link has ended: so have all calls of ours."""
        return [self._lost(id_) for id_ in list(self._asked)]

    def receive(self, frame: str | bytes) -> Sequence[Incoming]:
        """What a frame means, in its order; binary ones mean nothing."""
        message = self._decoded(frame)
        if isinstance(message, Fault):
            return self._refused(message)
        if isinstance(message, list):
            return self._batch(message)
        if is_plain(message):
            return [Plain(type=message["type"], body=message)]
        return self._one(message, None, 0)

    def _decoded(self, frame: str | bytes) -> Any:
        """The frame's value, or the `Fault` that it's."""
        if isinstance(frame, bytes):
            return faults.PARSE_ERROR
        data = frame.encode(errors="surrogatepass")
        if len(data) > self._limits.frame:
            return faults.INVALID_REQUEST
        try:
            message = msgspec.json.decode(data)
            value_weight(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return faults.PARSE_ERROR
        except Malformed:
            return faults.INVALID_REQUEST
        return message

    def _batch(self, messages: list[Value]) -> Sequence[Incoming]:
        if not 0 < len(messages) <= self._limits.batch:
            return self._refused(faults.INVALID_REQUEST)
        batch = _Batch(len(messages))
        met: list[Incoming] = []
        for slot, message in enumerate(messages):
            met += self._one(message, batch, slot)
        if (frame := batch.frame()) is not None:
            met.append(Say(frame.decode()))
        # An end that hangs up hears nothing any more, so what it was told belongs before.
        return [one for one in met if not isinstance(one, HangUp)] + [one for one in met if isinstance(one, HangUp)][:1]

    def _one(self, message: Any, batch: _Batch | None, slot: int) -> Sequence[Incoming]:
        if is_answer(message):
            met = self._answer(message)
        elif not is_request(message):
            return self._refused(faults.INVALID_REQUEST, batch, slot)
        elif self._answering >= self._limits.answering:
            self.counts["beyond_bound"] += 1
            return [] if "id" not in message else _said(_error(faults.TOO_MANY, message["id"]), batch, slot)
        else:
            self._answering += 1
            request = Request(message, None if "id" not in message else batch, slot)
            if batch is not None and not request.notification:
                batch.await_one()
            met = [request]
        return met

    def _answer(self, body: dict[str, Any]) -> Sequence[Incoming]:
        id_, error = body.get("id"), body.get("error")
        if isinstance(id_, bool) or not isinstance(id_, int) or id_ not in self._asked:
            self.counts["answer_to_nothing"] += 1
            return []
        if body.get("result") is not None if error is not None else "result" not in body:
            self.counts["answer_unusable"] += 1
            return []
        del self._asked[id_]
        if error is None:
            return [Answer(id=id_, result=body["result"])]
        said = error.get("message") if isinstance(error, dict) else None
        return [Answer(id=id_, error=CloudRefused(said if isinstance(said, str) and said else None))]

    def _close(self, request: Request, response: bytes) -> str | None:
        assert request.open, "A request is answered once."
        request.open = False
        self._answering -= 1
        frame = None if request.notification else request.close(response)
        return None if frame is None else frame.decode()

    def _lost(self, id_: int) -> Answer:
        del self._asked[id_]
        return Answer(id=id_, error=CloudUnavailable("The cloud hasn't answered."))

    def _refused(self, fault: Fault, batch: _Batch | None = None, slot: int = 0) -> Sequence[Incoming]:
        self.counts["malformed"] += 1
        now = self._monotonic()
        self._malformed.append(now)
        met: list[Incoming] = _said(_error(fault, None), batch, slot)
        full = len(self._malformed) == self._limits.malformed
        if full and now - self._malformed[0] <= self._limits.malformed_within:
            met.append(HangUp())
        return met


@dataclass(slots=True)
class _Batch:
    """The responses of a batch, in its order."""

    size: int
    _responses: dict[int, bytes] = field(default_factory=dict)
    _awaited: int = 0

    def await_one(self) -> None:
        self._awaited += 1

    def put(self, slot: int, response: bytes) -> None:
        self._responses[slot] = response

    def fill(self, slot: int, response: bytes) -> bytes | None:
        self.put(slot, response)
        self._awaited -= 1
        return self.frame()

    def frame(self) -> bytes | None:
        if self._awaited or not self._responses:
            return None
        return b"[" + b",".join(self._responses[slot] for slot in sorted(self._responses)) + b"]"


def _error(fault: Fault, id_: Id) -> bytes:
    return msgspec.json.encode({"jsonrpc": VERSION, "error": fault, "id": id_})


def _said(response: bytes, batch: _Batch | None, slot: int) -> list[Incoming]:
    if batch is None:
        return [Say(response.decode())]
    batch.put(slot, response)
    return []
