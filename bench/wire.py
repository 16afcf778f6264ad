"""The cheapest clients that speak the wires, so that a bench measures the station and not its load."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def variable(number: int) -> bytes:
    encoded = b""
    while True:
        number, digit = divmod(number, 128)
        encoded += bytes([digit | (0x80 if number else 0)])
        if not number:
            return encoded


def publish_head(topic: bytes, qos: int, payload_size: int) -> bytes:
    """Everything of a PUBLISH before its packet id and payload."""
    size = 2 + len(topic) + (2 if qos else 0) + payload_size
    return bytes([0x30 | qos << 1]) + variable(size) + len(topic).to_bytes(2, "big") + topic


class MqttWire(asyncio.Protocol):
    """An MQTT 3.1.1 client that writes what it's given and counts (or hands on) what comes."""

    def __init__(self, client_id: str, on_publish: Callable[[bytes], None] | None = None) -> None:
        self._client_id = client_id.encode()
        self._on_publish = on_publish
        self._rest = b""
        self._acks = bytearray()
        self.ready = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.packet_id = 0
        self.acknowledged = 0

    @classmethod
    async def open(cls, port: int, client_id: str, on_publish: Callable[[bytes], None] | None = None) -> MqttWire:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(lambda: cls(client_id, on_publish), "127.0.0.1", port)
        await wire.ready.wait()
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP
        body = b"\x00\x04MQTT\x04\x02\x00\x00" + len(self._client_id).to_bytes(2, "big") + self._client_id
        self.transport.write(b"\x10" + variable(len(body)) + body)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def subscribe(self, topic: str) -> None:
        encoded = topic.encode()
        body = b"\x00\x01" + len(encoded).to_bytes(2, "big") + encoded + b"\x01"
        self.transport.write(b"\x82" + variable(len(body)) + body)

    def packet(self, topic: bytes, payload: bytes, qos: int) -> bytes:
        head = publish_head(topic, qos, len(payload))
        if not qos:
            return head + payload
        self.packet_id = self.packet_id % 65_535 + 1
        return head + self.packet_id.to_bytes(2, "big") + payload

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data
        at = 0
        while len(buffer) - at >= 2:
            length, start, shift = 0, at + 1, 0
            while start < len(buffer):
                length |= (buffer[start] & 0x7F) << shift
                shift += 7
                start += 1
                if not buffer[start - 1] & 0x80:
                    break
            else:
                break
            if start + length > len(buffer):
                break
            self._take(buffer[at], buffer[start : start + length])
            at = start + length
        self._rest = buffer[at:]
        if self._acks:
            self.transport.write(bytes(self._acks))
            self._acks.clear()

    def _take(self, head: int, body: bytes) -> None:
        match head & 0xF0:
            case 0x20:
                self.ready.set()
            case 0x40:
                self.acknowledged += 1
            case 0x90:
                self.subscribed.set()
            case 0x30:
                topic_end = 2 + int.from_bytes(body[:2], "big")
                if head & 0x06:
                    self._acks += b"\x40\x02" + body[topic_end : topic_end + 2]
                    topic_end += 2
                if self._on_publish is not None:
                    self._on_publish(body[topic_end:])


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes = field(repr=False)


class HttpWire:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str | None) -> None:
        self._reader = reader
        self._writer = writer
        self._bearer = f"Authorization: Bearer {token}\r\n" if token else ""

    @classmethod
    async def open(cls, port: int, token: str | None = None) -> HttpWire:
        return cls(*await asyncio.open_connection("127.0.0.1", port), token)

    async def call(self, method: str, path: str, body: bytes = b"") -> Reply:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: station\r\n{self._bearer}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        return Reply(int(answer[9:12]), await self._reader.readexactly(length))

    def close(self) -> None:
        self._writer.close()
