from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.app.command import Terminal


@pytest.mark.usefixtures("data")
def test_the_code_is_shown_without_a_running_station_and_another_one_once_it_is_taken_back(station: Terminal) -> None:
    shown = station("claim")
    asked = [station(*words) for words in (["claim", "--json"], ["claim", "--again", "--json"], ["claim", "--json"])]
    first, again, last = (json.loads(ended.out) for ended in asked)

    assert {ended.code for ended in (shown, *asked)} == {0}
    assert re.fullmatch("[0-9a-f]{32}", first["claimSecret"])
    assert json.loads(first["code"]) == {"chipId": first["chipId"], "claimSecret": first["claimSecret"]}
    assert all(word in shown.out for word in ("█", first["chipId"], first["claimSecret"], "Nobody has claimed it"))
    assert again["chipId"] == first["chipId"]
    assert again["claimSecret"] != first["claimSecret"]
    assert last == again
    assert {ended.out.count("\n") for ended in asked} == {1}


def test_where_there_is_no_station_there_is_nothing_to_claim(station: Terminal, tmp_path: Path) -> None:
    ended = station("claim")

    assert ended.code == 78
    assert str(tmp_path) in ended.err
