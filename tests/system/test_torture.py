from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.torture import torture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

ROUNDS = 5


@pytest.mark.parametrize(
    ("database", "killed"), [("sqlite", {"station"}), ("postgres", {"station", "database", "both"})]
)
async def test_what_was_acknowledged_is_kept_once_whatever_is_killed(
    database: str, killed: set[str], tmp_path: Path
) -> None:
    async with torture(tmp_path, database, seed=7) as victim:
        ledger = await victim.run(ROUNDS)

    assert (ledger.kills.total(), set(ledger.kills)) == (ROUNDS, killed)
    assert len(ledger.acknowledged) > 100
