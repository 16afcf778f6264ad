from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from station_adapters.qr.codes import blocks
from station_app.cli.ordering import order
from station_app.cli.output import Json, answer


def claim(*, again: Annotated[bool, Parameter(negative="")] = False, as_json: Json = False) -> None:
    """
    Show what the cloud has to be shown by whoever is to own the station there, also as a QR code.

    Keep it to yourself: whoever has it can claim the station.

    Examples: `station claim`, `station claim --again`, `station claim --json | jq -r .claimSecret`.

    Exit codes: 0 done; 69 the database can't answer; 75 a station is starting or ending.

    Parameters
    ----------
    again
        Whoever has claimed the station loses it, and there is another secret; people and devices stay.
    as_json
        For machines.

    """
    told = order("claim", again=again)
    claimed = f"Somebody has claimed it: {told['claimedAt']}." if told["claimedAt"] else "Nobody has claimed it yet."
    words = (
        f"{blocks(told['code'])}\n\nchip id       {told['chipId']}\nclaim secret  {told['claimSecret']}\n\n{claimed}"
    )
    answer(told, words, as_json=as_json)
