"""
What an owner does for the devices of a simulation, over the station's REST API (docs/protocols.md §4).

Blocking, on one kept-alive connection of the standard library: call it in a thread.
"""

from __future__ import annotations

import http.client
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from station_core.errors import Conflict, SettingInvalid, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from station_app.simulator.make import Make

PATIENCE: Final = 30.0  # seconds for an answer


class Owner:
    """Somebody logged in at a station; use as a context manager."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise SettingInvalid("The station's address is http://host:port or https://host:port, without a password.")
        self._where = f"{parts.scheme}://{parts.netloc}"
        self._token = ""
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = tls or ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=PATIENCE, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def log_in(self, email: str, password: str) -> None:
        """Become the owner; raise `Unauthenticated` or `Unavailable`."""
        answer = self._call("POST", "/api/auth/login", {"email": email, "password": password}, good=200)
        self._token = answer["accessToken"]

    def log_out(self) -> None:
        """End the session."""
        if self._token:
            self._call("POST", "/api/auth/logout", None, good=204)
            self._token = ""

    def known(self) -> dict[str, str]:
        """External id → type of all devices that the station has."""
        return {device["externalId"]: device["type"] for device in self._call("GET", "/api/devices", None, good=200)}

    def missing(self, makes: Sequence[Make], tokens: dict[str, str]) -> list[Make]:
        """Those that the station doesn't know; raise `Conflict` when one that it knows can't be played."""
        known = self.known()
        for make in makes:
            kind = known.get(make.external_id)
            if kind is not None and make.external_id not in tokens:
                raise Conflict(
                    f"The station knows {make.external_id} already, and its token isn't in the token file: "
                    "name the file of the earlier run, choose another --prefix, or remove the device."
                )
            if kind not in {None, make.type}:
                raise Conflict(
                    f"At the station {make.external_id} is a {kind}, here a {make.type}: "
                    "use the --seed and --types of the earlier run, or another --prefix."
                )
        return [make for make in makes if make.external_id not in known]

    def add(self, make: Make) -> str:
        """Have the station know this device; its token."""
        body = {"externalId": make.external_id, "name": f"Simulated {make.external_id}", "type": make.type}
        token = self._call("POST", "/api/devices", body, good=201)["deviceToken"]
        assert isinstance(token, str)
        return token

    def _call(self, method: str, path: str, body: Any, *, good: int) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with self._trouble():
            self._connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            answer = self._connection.getresponse()
            content = answer.read()
        if answer.status == good:
            return self._decoded(content) if content else None
        told = f"{self._where} answers {answer.status} to {method} {path}: {self._detail(content)}"
        if answer.status in {401, 403}:
            raise Unauthenticated(told)
        if answer.status in {429, 503}:
            raise Unavailable(told)
        raise SettingInvalid(told)

    def _decoded(self, content: bytes) -> Any:
        try:
            return msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SettingInvalid(f"{self._where} speaks no JSON: is it a station?") from error

    @staticmethod
    def _detail(content: bytes) -> str:
        try:
            problem = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "no reason given."
        return str(problem.get("detail") or problem.get("title") or problem) if isinstance(problem, dict) else "?"

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise SettingInvalid(f"{self._where} can't be trusted: {error.verify_message}.") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._where} can't be reached: {str(error) or type(error).__name__}.") from error
