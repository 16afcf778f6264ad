"""One member at a time, and what can be none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from station_core.errors import Malformed
from station_core.identity.cloud_members import UNTOLD, CloudMember, checked, checked_digest
from station_core.identity.model import Role
from station_core.identity.reconciling import EMAIL_TAKEN, INCOMPLETE
from tests.unit.core.households import DIGESTS, OWNER, Home, cloud, local, member


def test_two_people_who_turn_out_to_be_one_are_the_one_who_was_here() -> None:
    home = Home(local("gran", Role.ADMIN), cloud("bob", Role.ADMIN, name="Bob"))
    refused = home.sync(checked(CloudMember(cloud_user_id="bob", email="gran@x.example")))

    assert refused == []
    merged = home.of("bob")
    assert (merged.id, merged.linked, merged.name, merged.role) == ("local gran", True, "Bob", Role.ADMIN)
    assert merged.station_password_hash == DIGESTS[0]
    assert home.last.removed == ["cloud bob"]


def test_two_who_turn_out_to_be_one_bring_the_password_that_is_told() -> None:
    home = Home(local("gran"), cloud("bob"))
    home.take(member("bob", email="gran@x.example", station_password_hash=DIGESTS[1]))

    assert home.of("bob").station_password_hash == DIGESTS[1]
    assert home.of("bob").id == "local gran"


@pytest.mark.parametrize("linked", [False, True])
def test_the_owner_and_who_is_linked_become_nobody_else(linked: bool) -> None:  # noqa: FBT001  # a case
    bob = cloud("bob", linked=linked)
    home = Home(local("gran"), bob, owner=OWNER if linked else replace(bob, role=Role.OWNER))
    before = dict(home.users)

    assert home.take(member("bob", email="gran@x.example")) == EMAIL_TAKEN
    assert home.users == before


def test_what_isnt_told_stays() -> None:
    home = Home(cloud("bob", Role.ADMIN, name="Bob"))
    home.take(checked(CloudMember(cloud_user_id="bob", name=" ")))

    assert home.of("bob") == cloud("bob", Role.ADMIN, name="Bob")


def test_who_isnt_known_needs_an_address_and_a_role() -> None:
    home = Home()
    answers = [
        home.take(checked(CloudMember(cloud_user_id="bob", **more)))
        for more in ({"email": "bob@x.example"}, {"role": "member"}, {})
    ]

    assert answers == [INCOMPLETE] * 3
    assert home.users == {OWNER.id: OWNER}


@pytest.mark.parametrize(("digest", "ends"), [(DIGESTS[0], False), (DIGESTS[1], True), (None, True)])
def test_another_password_ends_all_sessions(digest: str | None, ends: bool) -> None:  # noqa: FBT001  # a case
    home = Home(cloud("bob"))
    home.take(member("bob", station_password_hash=digest))

    assert home.of("bob").station_password_hash == digest
    assert home.last.revoked == (["cloud bob"] if ends else [])


def test_a_first_station_password_ends_nothing() -> None:
    home = Home(cloud("bob", station_password_hash=None))
    home.take(member("bob", station_password_hash=DIGESTS[0]))

    assert home.last.revoked == []


@pytest.mark.parametrize(("digest", "ends"), [(DIGESTS[0], False), (DIGESTS[1], True)])
def test_a_changed_password_told_twice_ends_sessions_once(digest: str, ends: bool) -> None:  # noqa: FBT001  # a case
    home = Home(cloud("bob"))
    household = home.household()
    household.revoke(home.of("bob"), digest)
    home.keep(household)

    assert home.of("bob").station_password_hash == digest
    assert home.last.revoked == (["cloud bob"] if ends else [])


@pytest.mark.parametrize(
    "more",
    [
        {"cloud_user_id": ""},
        {"cloud_user_id": "x" * 129},
        {"cloud_user_id": "\0"},
        {"email": "nobody"},
        {"name": "\ud800"},
        {"role": "king"},
        {"station_password_hash": "secret"},
    ],
)
def test_a_bad_member_is_none(more: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        checked(CloudMember(**{"cloud_user_id": "bob", **more}))


@pytest.mark.parametrize("digest", ["$2b$03$" + "a" * 53, "$2b$15$" + "a" * 53, "$1$10$" + "a" * 53, "$2b$10$a", ""])
def test_a_digest_is_bcrypts_and_fair(digest: str) -> None:
    with pytest.raises(Malformed):
        checked_digest(digest)


def test_an_untold_password_stays_untold() -> None:
    assert checked(CloudMember(cloud_user_id="bob")).station_password_hash is UNTOLD
    assert checked(CloudMember(cloud_user_id="bob", station_password_hash=None)).station_password_hash is None
