from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_app.settings import Settings, is_new, load_settings, prepare
from station_core.errors import SettingInvalid
from station_core.values import external_id

if TYPE_CHECKING:
    from pathlib import Path

PI = (
    "processor\t: 0\nHardware\t: BCM2835\nRevision\t: c03111\nSerial\t\t: 10000000a1b2c3d4\nModel\t\t: Raspberry Pi 4\n"
)
GIVEN = "given-canary-" * 3


@pytest.fixture
def nameless(tmp_path: Path) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: something\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


def settings(**given: str) -> Settings:
    return load_settings({"HOME": "/nowhere", **{f"STATION_{name}": text for name, text in given.items()}})


def kept(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_is_missing_is_generated_and_kept_for_nobody_else_to_read(folder: Path, nameless: Path) -> None:
    keys = prepare(settings(), folder, nameless)

    assert kept(folder) == ["agent_token", "broker", "jwt_secret", "sealing", "station_id"]
    assert {entry.stat().st_mode & 0o777 for entry in folder.iterdir()} == {0o600}
    assert external_id(keys.station_id)
    kinds = (keys.jwt_secret, keys.agent_token, keys.broker, keys.sealing)
    secrets = {kind.reveal() for kind in kinds}
    assert len(secrets) == 4
    assert min(len(secret) for secret in secrets) >= 43


def test_a_station_is_new_until_it_has_kept_its_secrets(folder: Path, nameless: Path) -> None:
    before = is_new(folder)
    prepare(settings(JWT_SECRET=GIVEN, AGENT_TOKEN=GIVEN, ID="s1"), folder, nameless)

    assert before
    assert not is_new(folder)
    assert is_new(folder / "none")


def test_the_next_start_finds_the_same(folder: Path, nameless: Path) -> None:
    assert prepare(settings(), folder, nameless) == prepare(settings(), folder, nameless)


def test_two_stations_have_nothing_in_common(folder: Path, tmp_path: Path, nameless: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    one, two = prepare(settings(), folder, nameless), prepare(settings(), other, nameless)

    assert one.station_id != two.station_id
    assert {one.jwt_secret, one.agent_token, one.broker}.isdisjoint({two.jwt_secret, two.agent_token, two.broker})


def test_what_is_given_is_taken_and_not_kept(folder: Path, nameless: Path) -> None:
    keys = prepare(settings(ID="box-1", JWT_SECRET=GIVEN, AGENT_TOKEN=GIVEN), folder, nameless)

    assert (keys.station_id, keys.jwt_secret.reveal(), keys.agent_token.reveal()) == ("box-1", GIVEN, GIVEN)
    assert kept(folder) == ["broker", "sealing"]


def test_a_boards_serial_is_its_id(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pi").write_text(PI)

    assert prepare(settings(), folder, tmp_path / "pi").station_id == "10000000a1b2c3d4"
    assert "station_id" not in kept(folder)


@pytest.mark.parametrize("serial", ["", "0000000000000000", "+", "To be filled / by O.E.M.", "x" * 65])
def test_a_serial_that_is_none_or_unfit_is_no_id(folder: Path, tmp_path: Path, serial: str) -> None:
    (tmp_path / "board").write_text(f"Serial\t\t: {serial}\n")

    assert prepare(settings(), folder, tmp_path / "board").station_id != serial
    assert "station_id" in kept(folder)


def test_without_a_cpuinfo_there_is_an_id_all_the_same(folder: Path, tmp_path: Path) -> None:
    assert external_id(prepare(settings(), folder, tmp_path / "missing").station_id)


@pytest.mark.parametrize("name", ["agent_token", "broker", "jwt_secret", "station_id"])
def test_a_kept_one_that_is_damaged_is_told_with_what_to_do(folder: Path, nameless: Path, name: str) -> None:
    prepare(settings(), folder, nameless)
    (folder / name).write_bytes(b"\xffcanary/")

    with pytest.raises(SettingInvalid, match=f"data/{name} .*Remove the file") as refused:
        prepare(settings(), folder, nameless)
    assert name == "station_id" or "canary" not in str(refused.value)


def test_a_kept_one_that_others_can_read_is_refused(folder: Path, nameless: Path) -> None:
    prepare(settings(), folder, nameless)
    (folder / "jwt_secret").chmod(0o644)

    with pytest.raises(SettingInvalid, match="jwt_secret is open to other users: chmod 600"):
        prepare(settings(), folder, nameless)


def test_no_secret_shows(folder: Path, nameless: Path) -> None:
    keys = prepare(settings(JWT_SECRET=GIVEN), folder, nameless)
    texts = [keys.jwt_secret.reveal(), keys.agent_token.reveal(), keys.broker.reveal()]

    assert not [text for text in texts if text in repr(keys)]
