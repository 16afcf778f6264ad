from __future__ import annotations

from station_app.cli.running import alone
from station_core.errors import SettingInvalid


def test_a_fact_comes_out_of_however_many_groups_alone() -> None:
    fact = SettingInvalid("the port is taken")
    failed = ExceptionGroup("", [ValueError(), ExceptionGroup("", [fact])])

    assert alone(failed) is fact


def test_a_group_without_a_fact_stays_whole() -> None:
    failed = ExceptionGroup("", [ValueError()])

    assert alone(failed) is failed
