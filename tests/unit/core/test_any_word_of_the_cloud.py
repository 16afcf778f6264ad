"""Whatever the cloud tells of the household, and in whatever order."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from station_core.identity.cloud_members import UNTOLD, CloudMember, Member, checked
from station_core.identity.model import Role
from tests.unit.core.households import DIGESTS, Home, local

NAMES = st.sampled_from(["anna", "bob", "eve", "kim", "gran"])
MEMBERS = st.builds(
    lambda name, **more: checked(CloudMember(cloud_user_id=name, **more)),
    NAMES,
    email=st.none() | NAMES.map(lambda name: f"{name}@x.example") | NAMES.map(lambda name: f"{name}@X.example"),
    role=st.sampled_from([None, "owner", "admin", "member"]),
    station_password_hash=st.sampled_from([UNTOLD, None, *DIGESTS]),
)
SYNCS = st.tuples(
    st.just("sync"), st.lists(MEMBERS, max_size=5, unique_by=lambda one: one.cloud_user_id), st.none() | NAMES
)
MESSAGES = st.one_of(
    SYNCS,
    st.tuples(st.just("take"), MEMBERS),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("revoke"), NAMES, st.sampled_from(DIGESTS)),
)


def tell(home: Home, message: tuple[object, ...]) -> None:
    """As the service does."""
    household = home.household()
    match message:
        case ("sync", list(members), (str() | None) as owner):
            home.sync(*members, owner=owner)
        case ("take", Member() as told):
            home.take(told)
        case ("remove", str(name)):
            user = household.bearer(name)
            if user is not None and not household.leads(user):
                household.leave(user)
                home.keep(household)
        case ("revoke", str(name), str(digest)):
            user = household.bearer(name)
            if user is not None:
                household.revoke(user, digest)
                home.keep(household)


def essence(home: Home) -> object:
    """All but the ids that are made, which a user who went and came back has anew."""
    return (
        sorted((replace(user, id="") for user in home.users.values()), key=lambda user: user.email),
        home.users[home.owner_id].email if home.owner_id else None,
    )


@given(st.booleans(), st.lists(MESSAGES, max_size=12))
def test_whatever_is_told_the_household_stays_whole_and_told_twice_it_is_as_told_once(
    began: bool,  # noqa: FBT001  # a case
    story: list[tuple[object, ...]],
) -> None:
    locals_ = [local("gran"), local("eve", Role.ADMIN)]
    home = Home(*locals_) if began else Home(owner=None)
    for message in story:
        tell(home, message)
        once = essence(home)
        tell(home, message)

        assert essence(home) == once
        folded = [user.email.casefold() for user in home.users.values()]
        bearers = [user.cloud_user_id for user in home.users.values() if user.cloud_user_id is not None]
        assert len(set(folded)) == len(folded)
        assert len(set(bearers)) == len(bearers)
        if home.users:
            assert home.owner_id is not None
            assert home.users[home.owner_id].role is Role.OWNER
            assert not home.users[home.owner_id].disabled
        assert [user.role for user in home.users.values()].count(Role.OWNER) == (1 if home.users else 0)
        for user in locals_ if began else ():
            assert home.users[user.id].password_hash == user.password_hash
            if home.users[user.id].cloud_user_id is None and home.users[user.id].email == user.email:
                assert home.users[user.id].station_password_hash is None
