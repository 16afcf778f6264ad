"""The household by the list of its members."""

from __future__ import annotations

from dataclasses import replace

import pytest

from station_core.identity.cloud_members import CloudMember, checked
from station_core.identity.model import Role
from station_core.identity.reconciling import EMAIL_TAKEN, NO_OWNER
from tests.unit.core.households import DIGESTS, NOON, OWNER, Home, cloud, local, member


def test_who_is_told_of_is_a_member_and_who_is_no_more_goes() -> None:
    home = Home(cloud("bob"), cloud("eve"))
    refused = home.sync(member("bob", role="admin"), member("kim", station_password_hash=DIGESTS[1]))

    assert refused == []
    assert home.roles == {"anna": "owner", "bob": "admin", "kim": "member"}
    assert home.of("kim").station_password_hash == DIGESTS[1]
    assert (home.last.removed, home.last.revoked) == (["cloud eve"], ["cloud eve"])


def test_who_is_purely_local_is_not_touched() -> None:
    home = Home(local("gran"), cloud("bob"))
    home.sync()

    assert home.users == {OWNER.id: OWNER, "local gran": local("gran")}


def test_the_owner_is_not_removed() -> None:
    home = Home(owner=cloud("bob", Role.OWNER))
    home.sync(member("kim"))

    assert home.roles == {"bob": "owner", "kim": "member"}


@pytest.mark.parametrize("role", ["owner", "admin", "member"])
def test_the_owner_s_role_is_not_changed_by_what_is_told_of_them(role: str) -> None:
    home = Home(owner=cloud("bob", Role.OWNER))
    home.sync(member("bob", role=role))
    home.take(member("bob", role=role))

    assert home.roles == {"bob": "owner"}


def test_an_owner_among_the_members_is_an_admin() -> None:
    home = Home()
    home.sync(member("bob", role="owner"))

    assert home.roles == {"anna": "owner", "bob": "admin"}


def test_who_owns_is_the_owner_and_who_did_an_admin() -> None:
    home = Home(cloud("bob", disabled=True))
    home.sync(member("bob"), owner="bob")

    assert home.roles == {"anna": "admin", "bob": "owner"}
    assert home.owner_id == "cloud bob"
    assert not home.of("bob").disabled


def test_a_former_owner_who_is_told_of_is_what_is_told() -> None:
    home = Home(owner=cloud("bob", Role.OWNER))
    for _ in range(2):
        home.sync(member("bob"), member("kim"), owner="kim")

        assert home.roles == {"bob": "member", "kim": "owner"}


def test_a_former_owner_of_whose_role_nothing_is_told_is_an_admin() -> None:
    home = Home(owner=cloud("bob", Role.OWNER))
    for _ in range(2):
        home.sync(checked(CloudMember(cloud_user_id="bob")), member("kim"), owner="kim")

        assert home.roles == {"bob": "admin", "kim": "owner"}


def test_a_former_owner_who_becomes_one_with_somebody_who_was_here_is_an_admin() -> None:
    home = Home()
    home.sync(member("anna", email="kim@x.example"), owner="anna")
    home.sync(member("anna", role=None), member("kim"), owner="kim")

    assert {user.email: user.role for user in home.users.values()} == {
        "anna@x.example": Role.ADMIN,
        "kim@x.example": Role.OWNER,
    }


def test_a_former_owner_who_isnt_told_of_goes() -> None:
    home = Home(owner=cloud("bob", Role.OWNER))
    home.sync(member("kim"), owner="kim")

    assert home.roles == {"kim": "owner"}
    assert home.last.removed == ["cloud bob"]


def test_a_former_owner_who_was_here_before_stays_as_a_member() -> None:
    home = Home(owner=cloud("bob", Role.OWNER, linked=True))
    home.sync(member("kim"), owner="kim")

    assert home.roles == {"bob": "member", "kim": "owner"}


@pytest.mark.parametrize("owner", [None, "nobody", "eve"])
def test_without_an_owner_among_the_members_the_owner_stays_and_the_rest_is_so(owner: str | None) -> None:
    home = Home(cloud("eve"))
    home.sync(member("kim", role="admin"), owner=owner)

    assert home.roles == {"anna": "owner", "kim": "admin"}


def test_a_station_without_an_owner_takes_nobody_until_it_is_told_who_owns_it() -> None:
    home = Home(owner=None)
    refused = home.sync(member("bob"), member("kim"))
    single = home.take(member("bob"))
    assert (refused, single, home.users) == ([("bob", NO_OWNER), ("kim", NO_OWNER)], NO_OWNER, {})

    home.sync(member("bob"), member("kim"), owner="kim")
    assert home.roles == {"bob": "member", "kim": "owner"}
    assert home.owner_id == home.of("kim").id


def test_by_the_same_address_somebody_who_was_here_is_linked_and_keeps_the_password() -> None:
    home = Home(local("gran", Role.ADMIN))
    home.sync(member("g", email="GRAN@x.example", name="Granny", station_password_hash=DIGESTS[0]))

    assert home.of("g") == replace(
        local("gran"),
        email="GRAN@x.example",
        name="Granny",
        cloud_user_id="g",
        linked=True,
        station_password_hash=DIGESTS[0],
        synced_at=NOON,
    )
    assert home.last.revoked == []


def test_an_owner_who_is_linked_owns_on() -> None:
    home = Home()
    home.sync(member("a", email="anna@x.example"))
    linked = home.of("a")
    home.sync()

    assert (linked.id, linked.role, linked.linked) == (OWNER.id, Role.OWNER, True)
    assert home.users == {OWNER.id: linked}


def test_who_was_linked_stays_as_a_member_without_the_link() -> None:
    home = Home(cloud("gran", Role.ADMIN, linked=True, password_hash="argon2"))
    home.sync()

    assert home.users["cloud gran"] == replace(
        cloud("gran"),
        password_hash="argon2",
        cloud_user_id=None,
        station_password_hash=None,
        synced_at=None,
    )
    assert home.last.revoked == ["cloud gran"]


def test_an_address_of_a_member_who_goes_is_free() -> None:
    home = Home(cloud("bob"))
    refused = home.sync(member("robert", email="bob@x.example"))

    assert refused == []
    assert home.of("robert").id != "cloud bob"
    assert home.last.removed == ["cloud bob"]


def test_two_may_change_their_addresses_with_each_other() -> None:
    home = Home(cloud("bob"), cloud("kim"))
    refused = home.sync(member("bob", email="kim@x.example"), member("kim", email="bob@x.example"))

    assert refused == []
    assert (home.of("bob").email, home.of("kim").email) == ("kim@x.example", "bob@x.example")


def test_of_two_with_one_address_the_first_has_it() -> None:
    home = Home(cloud("bob"))
    refused = home.sync(member("bob", email="one@x.example"), member("kim", email="One@x.example"))

    assert refused == [("kim", EMAIL_TAKEN)]
    assert home.of("bob").email == "one@x.example"


def test_who_is_left_out_stays_as_they_were() -> None:
    home = Home(cloud("bob"), cloud("kim"), cloud("eve"))
    refused = home.sync(member("bob"), member("kim", email="BOB@x.example", role="admin"), also=["eve"])

    assert refused == [("kim", EMAIL_TAKEN)]
    assert home.of("kim") == cloud("kim")
    assert home.of("eve") == cloud("eve")


def test_an_owner_to_be_who_is_left_out_owns_nothing() -> None:
    home = Home(cloud("kim", linked=True), local("gran"))
    refused = home.sync(member("kim", email="gran@x.example"), owner="kim")

    assert refused == [("kim", EMAIL_TAKEN)]
    assert home.owner_id == OWNER.id
    assert home.roles == {"anna": "owner", "kim": "member", "gran": "member"}
