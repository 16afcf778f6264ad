from __future__ import annotations

import json
from datetime import timedelta

from station_adapters.memory.clock import NEW_YEAR, MemoryClock, MemoryRandomness
from station_adapters.memory.cloud import MemoryCloudStore
from station_adapters.memory.outbox import MemoryOutbox
from station_core.cloud.channels import EventChannel
from station_core.cloud.claim import Claim
from station_core.cloud.model import ClaimCode
from station_core.cloud.status import CloudBoard, CloudStatus, Mode

SILENT = CloudStatus(
    mode=Mode.NO_CLOUD,
    since=NEW_YEAR,
    connected_since=None,
    last_error=None,
    reconnects=0,
    oldest_unsent=None,
    active_channels=(),
    claimed_at=None,
)


async def test_the_board_shows_what_its_parts_wrote() -> None:
    clock, outbox = MemoryClock(), MemoryOutbox()
    claim = Claim(store=MemoryCloudStore(outbox), clock=clock, randomness=MemoryRandomness(), station_id="box-1")
    await claim.load()
    board = CloudBoard(claim=claim, outbox=outbox, clock=clock)
    first = board.status
    await clock.advance(60)
    await claim.claimed("the token", by=claim.standing)
    board.turn(Mode.AUTHENTICATED)
    await clock.advance(60)
    board.turn(Mode.AUTHENTICATED)
    board.connected_since = NEW_YEAR + timedelta(seconds=59)
    board.last_error = "it was away"
    board.reconnects = 3
    board.oldest_unsent = NEW_YEAR
    await outbox.activate(frozenset({EventChannel.STATE}))

    minute = NEW_YEAR + timedelta(seconds=60)
    assert first == SILENT
    assert board.mode is Mode.AUTHENTICATED
    assert board.status == CloudStatus(
        mode=Mode.AUTHENTICATED,
        since=minute,
        connected_since=NEW_YEAR + timedelta(seconds=59),
        last_error="it was away",
        reconnects=3,
        oldest_unsent=NEW_YEAR,
        active_channels=("state",),
        claimed_at=minute,
    )


def test_the_code_is_what_a_claim_handshake_says() -> None:
    code = ClaimCode(chip_id="box-1", claim_secret="f" * 32)

    assert json.loads(code.text) == {"chipId": "box-1", "claimSecret": "f" * 32}
