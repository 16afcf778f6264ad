from __future__ import annotations

import pytest

from station_adapters.credentials.sealing import AesGcmSealer

SEALER = AesGcmSealer("a secret of this station, thirty-two")


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealed = SEALER.seal(b"canary", "wifi")

    assert "canary" not in sealed
    assert SEALER.unseal(sealed, "wifi") == b"canary"


def test_the_same_is_never_sealed_the_same() -> None:
    assert SEALER.seal(b"canary", "wifi") != SEALER.seal(b"canary", "wifi")


def test_what_another_station_or_another_purpose_sealed_stays_shut() -> None:
    sealed = SEALER.seal(b"canary", "wifi")

    assert SEALER.unseal(sealed, "cloud") is None
    assert AesGcmSealer("the secret of another station, long").unseal(sealed, "wifi") is None


@pytest.mark.parametrize("rubbish", ["", "v1:", "v1:AAAA", "v1:not base64!", "v2:AAAA", "v1:" + "A" * 100, "plain"])
def test_rubbish_stays_shut(rubbish: str) -> None:
    assert SEALER.unseal(rubbish, "wifi") is None


def test_a_changed_byte_is_noticed() -> None:
    sealed = SEALER.seal(b"canary", "wifi")
    changed = sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:]

    assert SEALER.unseal(changed, "wifi") is None
