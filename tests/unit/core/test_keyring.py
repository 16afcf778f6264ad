from __future__ import annotations

import pytest

from station_adapters.memory.clock import MemoryRandomness
from station_adapters.memory.link import MemoryDoor
from station_core.devices.credentials import Account, Keyring
from station_core.errors import Unauthenticated


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(MemoryDoor(), MemoryRandomness())


def test_a_token_opens_nothing_until_its_credential_is_put(keyring: Keyring) -> None:
    token, credential = keyring.issue("1", "lamp")
    with pytest.raises(Unauthenticated):
        keyring.verify(token)

    keyring.put(credential)

    assert keyring.verify(token) == "1"


def test_what_is_kept_of_a_token_shows_neither_it_nor_a_digest(keyring: Keyring) -> None:
    token, credential = keyring.issue("1", "lamp")
    keyring.put(credential)

    assert token not in (credential.digest, credential.broker_digest)
    assert credential.digest not in repr(credential)
    assert credential.broker_digest not in repr(keyring.accounts())


@pytest.mark.parametrize("token", ["", "wrong", "\ud800", "ä" * 5_000])
def test_any_other_text_is_no_token(keyring: Keyring, token: str) -> None:
    keyring.put(keyring.issue("1", "lamp")[1])

    with pytest.raises(Unauthenticated):
        keyring.verify(token)


def test_a_new_credential_takes_the_place_of_the_former(keyring: Keyring) -> None:
    former, first = keyring.issue("1", "lamp")
    present, second = keyring.issue("1", "lamp")
    keyring.put(first)
    keyring.put(second)

    assert keyring.verify(present) == "1"
    with pytest.raises(Unauthenticated):
        keyring.verify(former)
    assert keyring.accounts() == [Account(external_id="lamp", digest=second.broker_digest)]


def test_a_dropped_credential_opens_nothing_and_dropping_it_again_is_no_error(keyring: Keyring) -> None:
    token, credential = keyring.issue("1", "lamp")
    keyring.put(credential)

    keyring.drop("1")
    keyring.drop("1")

    with pytest.raises(Unauthenticated):
        keyring.verify(token)
    assert keyring.accounts() == []


def test_loading_forgets_what_was_known(keyring: Keyring) -> None:
    token, credential = keyring.issue("1", "lamp")
    other_token, other = keyring.issue("2", "fan")
    keyring.put(credential)

    keyring.load([other])

    assert keyring.verify(other_token) == "2"
    with pytest.raises(Unauthenticated):
        keyring.verify(token)
