"""What uvicorn leaves undone on a connection; pinned by a canary test on the methods that are overridden."""

from __future__ import annotations

import contextlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from station_adapters.http.door import fresh_id, on_every_answer
from station_adapters.http.errors import PROBLEM_JSON, REFUSALS, problem, problem_of
from station_adapters.http.joined import Joined
from station_adapters.http.live import GOING_AWAY
from station_core.correlation import request_id
from station_core.errors import Malformed, Unauthenticated

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from uvicorn._types import ASGISendEvent
    from uvicorn.protocols.websockets.websockets_sansio_impl import (  # type: ignore[attr-defined]  # not its own
        Request,
        Response,
    )

    from station_adapters.http.errors import Problem
    from station_core.errors import StationError

HEAD_BOUND: Final = 64 * 1024  # bytes
HEAD_WITHIN: Final = 15.0  # seconds
REST_WITHIN: Final = 5.0  # seconds from an answer to the next request; the rest of a body that was refused counts too
HEARD_OUT_FOR: Final = 1.0  # seconds to a client that was refused and still sends
GOOD_BYE_WITHIN: Final = 2.0  # seconds for the client's half of the closing handshake
FLUSH_WITHIN: Final = 0.5  # seconds for the last bytes to a socket that may not be read any more

_CREDENTIAL: Final = re.compile(rb"\r\n(?:x-device-token|device-token|authorization|cookie):", re.IGNORECASE)


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose heads are bounded in size and time; what is none is answered as problem+json too."""

    _head = 0.0  # bytes that came since the head began; minus infinity behind it
    _head_timer: asyncio.TimerHandle | None = None
    _rest_timer: asyncio.TimerHandle | None = None
    _beginning = b""  # what came first of a head that isn't whole yet
    _refused = False
    _joined: Joined

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """See uvicorn."""
        super().connection_made(transport)
        self._joined = Joined(transport, self.loop)
        self._await_rest_of_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See uvicorn."""
        self._head_came()
        self._rest_is_over()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See uvicorn."""
        if self._refused:
            return
        if not self._beginning:
            self._beginning = data
        self._head += len(data)
        super().data_received(data)
        if self._head < 0:
            self._beginning = b""
        elif self._head > HEAD_BOUND and not self.transport.is_closing():
            self._refuse_head()
        elif self._head_timer is None:
            self._await_rest_of_head()

    def on_message_begin(self) -> None:
        """See uvicorn."""
        super().on_message_begin()
        self._rest_is_over()
        self._head_came()  # another's, that was never complete
        self._head = 0.0  # no timer yet: most come whole

    def on_headers_complete(self) -> None:
        """See uvicorn."""
        self._head_came()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # what asks for a socket, or is refused, has none
            self.cycle.transport = self._joined  # type: ignore[assignment]  # it's all that a cycle uses

    def on_response_complete(self) -> None:
        """See uvicorn: it would wait for ever once anything comes that is no request, as the rest of a refused body."""
        self._joined.flush()
        super().on_response_complete()
        if self.cycle.response_complete and self._head < 0:
            self._rest_timer = self.loop.call_later(REST_WITHIN, self.transport.close)

    def handle_websocket_upgrade(self) -> None:
        """See uvicorn."""
        self._joined.flush()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """See uvicorn."""
        self._answer(Malformed(msg))
        self.transport.close()

    def _refuse_head(self) -> None:
        """What is too large to be a credential is none; who still sends is heard out, or would never see the answer."""
        bears_one = _CREDENTIAL.search(self._beginning) is not None
        self._answer(Unauthenticated() if bears_one else Malformed("The head of the request is too large."))
        self._refused, self._beginning = True, b""
        self._head_came()
        self.loop.call_later(HEARD_OUT_FOR, self.transport.close)

    def _answer(self, error: StationError) -> None:
        with _as_a_request():
            body, more = problem_of(error, "")
            fields, content = _written(body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**fields, **more}.items())
        self._joined.flush()
        self.transport.write(STATUS_LINE[body.status] + lines.encode() + b"\r\n" + content)

    def _await_rest_of_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_WITHIN, self.transport.close)

    def _rest_is_over(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _head_came(self) -> None:
        self._head = float("-inf")
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class LiveProtocol(WebSocketsSansIOProtocol):
    """
    A WebSocket that ends when it's told to, though its client reads no more, and with 1001 when the station does.

    uvicorn closes its transport, which waits for the client to take what was written, for ever if need be.
    """

    def handle_connect(self, event: Request) -> None:
        """See uvicorn, which leaves it to websockets how what is no handshake is refused."""
        accept = self.conn.accept
        self.conn.accept = lambda request: _as_a_problem(accept(request), event.path)  # type: ignore[method-assign]
        super().handle_connect(event)

    def shutdown(self) -> None:
        """See uvicorn."""
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": GOING_AWAY})
            self.conn.send_close(GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
        else:
            super().shutdown()
        self._abort_soon()

    def keepalive_timeout(self) -> None:
        """See uvicorn."""
        super().keepalive_timeout()
        self._abort_soon()

    async def send(self, message: ASGISendEvent) -> None:
        """See uvicorn, which takes a handshake that was answered with a refusal for one that nobody answered."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    async def run_asgi(self) -> None:
        """See uvicorn."""
        await super().run_asgi()
        self.loop.call_later(GOOD_BYE_WITHIN, self._abort_soon)

    def _abort_soon(self) -> None:
        self.loop.call_later(FLUSH_WITHIN, self.transport.abort)


def _as_a_problem(response: Response, target: str) -> Response:
    """A refusal of a handshake as every other is written; what accepts one stays."""
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        status = response.status_code if response.status_code in REFUSALS else HTTPStatus.BAD_REQUEST
        code, detail = REFUSALS.get(status, (Malformed.code, response.body.decode().strip()))
        with _as_a_request():
            fields, response.body = _written(problem(int(status), code, detail, target.partition("?")[0]))
        response.status_code, response.reason_phrase = int(status), HTTPStatus(status).phrase
        for name, value in fields.items():
            response.headers.pop(name, None)
            response.headers[name] = value
    return response


@contextlib.contextmanager
def _as_a_request() -> Iterator[None]:
    """What came has no scope, but is answered under an id all the same."""
    token = request_id.set(fresh_id())
    try:
        yield
    finally:
        request_id.reset(token)


def _written(body: Problem) -> tuple[dict[str, str], bytes]:
    """The last answer on a connection: header fields and content."""
    content = msgspec.json.encode(body)
    fields = {"content-type": PROBLEM_JSON, "content-length": str(len(content)), "connection": "close"}
    return fields | {name.decode(): value.decode() for name, value in on_every_answer()}, content
