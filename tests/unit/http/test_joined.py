from __future__ import annotations

import asyncio
from typing import cast

import pytest

from station_adapters.http.joined import HELD_UP_TO, Joined

HEAD, BODY, LARGE = b"HTTP/1.1 200 OK\r\n\r\n", b'{"a":1}', b"x" * (HELD_UP_TO + 1)


class Wire:
    """A transport that notes what it's given, each piece by itself."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        assert not self.closing
        self.pieces.append(data)

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def joined(wire: Wire) -> Joined:
    return Joined(cast("asyncio.Transport", wire), asyncio.get_running_loop())


async def test_head_and_body_go_out_as_one_at_once(wire: Wire, joined: Joined) -> None:
    joined.write(HEAD)
    joined.write(BODY)

    assert wire.pieces == [HEAD + BODY]


async def test_what_nothing_follows_goes_out_when_the_turn_is_over(wire: Wire, joined: Joined) -> None:
    joined.write(HEAD)
    assert wire.pieces == []

    await asyncio.sleep(0)

    assert wire.pieces == [HEAD]


async def test_what_went_out_with_its_body_is_not_written_again_when_the_turn_is_over(
    wire: Wire, joined: Joined
) -> None:
    joined.write(HEAD)
    joined.write(BODY)
    await asyncio.sleep(0)

    assert wire.pieces == [HEAD + BODY]


async def test_a_large_body_is_not_copied_and_comes_behind_its_head(wire: Wire, joined: Joined) -> None:
    joined.write(HEAD)
    joined.write(LARGE)
    joined.write(b"")

    assert wire.pieces == [HEAD, LARGE]
    assert wire.pieces[1] is LARGE


async def test_many_pieces_keep_their_order(wire: Wire, joined: Joined) -> None:
    pieces = [b"%d;" % n if n % 3 else LARGE for n in range(20)]
    for piece in pieces:
        joined.write(piece)
    joined.flush()

    assert b"".join(wire.pieces) == b"".join(pieces)


async def test_what_is_held_goes_out_before_the_connection_closes(wire: Wire, joined: Joined) -> None:
    joined.write(HEAD)
    joined.close()

    await asyncio.sleep(0)

    assert wire.pieces == [HEAD]
    assert joined.is_closing()


async def test_what_is_held_for_somebody_who_is_gone_is_let_go(wire: Wire, joined: Joined) -> None:
    joined.write(HEAD)
    wire.close()  # by the other end; uvloop's raises when it's written to then
    await asyncio.sleep(0)
    joined.flush()

    assert wire.pieces == []
