from __future__ import annotations

from station_core.errors import DeviceUnknown, RateLimited


def test_an_error_states_its_fact_unless_it_is_told_better() -> None:
    assert str(DeviceUnknown()) == DeviceUnknown.fact
    assert str(DeviceUnknown("No lamp.")) == "No lamp."


def test_who_comes_too_often_is_told_when_to_come_again() -> None:
    assert RateLimited(retry_after=5).retry_after == 5
