"""Asks a broker whether it accepts a login: the first packet of MQTT 3.1.1 and its answer, and nothing more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from station_adapters.mosquitto.files import Login

ANSWER_WITHIN: Final = 2.0  # seconds
_CLEAN_SESSION_WITH_LOGIN: Final = 0xC2  # connect flags: user name, password, clean session (MQTT 3.1.1 §3.1.2.3)
_KEEP_ALIVE: Final = 10  # seconds


async def accepts(host: str, port: int, login: Login) -> bool:
    """Whether the login is accepted; raise `OSError` (or its `TimeoutError`) when there's no answer."""
    async with asyncio.timeout(ANSWER_WITHIN):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(connect_packet(login))
            answer = await reader.readexactly(4)  # CONNACK: type, length 2, flags, return code
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("The broker closed the connection.") from error
        finally:
            writer.close()
    return answer[:2] == b"\x20\x02" and answer[3] == 0


def connect_packet(login: Login) -> bytes:
    """CONNECT with a client id like the user's name (MQTT 3.1.1 §3.1)."""
    body = b"\x00\x04MQTT\x04" + bytes([_CLEAN_SESSION_WITH_LOGIN]) + _KEEP_ALIVE.to_bytes(2, "big")
    for text in (login.user, login.user, login.password):
        encoded = text.encode()
        body += len(encoded).to_bytes(2, "big") + encoded
    length = len(body)
    if length > 127:  # two bytes of length reach to 16,383; no login of ours is longer
        return bytes([0x10, length & 0x7F | 0x80, length >> 7]) + body
    return bytes([0x10, length]) + body
