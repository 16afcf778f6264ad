"""What a Wi-Fi may be called, and how its password looks (IEEE 802.11; docs/protocols.md §2)."""

from __future__ import annotations

import pytest

from station_core.errors import Malformed
from station_core.provisioning.model import Wifi, checked_wifi


@pytest.mark.parametrize(
    ("ssid", "password"), [("", "12345678"), ("x" * 33, "12345678"), ("x", "short"), ("x", "y" * 65)]
)
def test_a_network_that_no_radio_knows_is_refused(ssid: str, password: str) -> None:
    with pytest.raises(Malformed):
        checked_wifi(ssid, password)


def test_an_open_network_is_one_too() -> None:
    assert checked_wifi("cafe", "") == Wifi(ssid="cafe", password="")
    assert "secret-word" not in repr(checked_wifi("cafe", "secret-word"))
