"""deploy/station.service is a unit that systemd takes, and fits what the station does."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from station_adapters.mosquitto.broker import YIELDS
from station_app.cli import EXIT_CODES
from station_app.station import STOP_WITHIN
from station_core.errors import SettingInvalid, StoreNewer

ROOT: Final = Path(__file__).parents[3]
UNIT: Final = ROOT / "deploy" / "station.service"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names are as they are written
    parser.read_string(UNIT.read_text())
    return parser


def test_it_comes_back_after_every_end_but_those_that_only_the_operator_mends(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]

    assert (service["Type"], service["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("notify", "always", "0")
    assert service["RestartPreventExitStatus"] == f"{EXIT_CODES[StoreNewer]} {EXIT_CODES[SettingInvalid]}"


def test_it_may_end_in_its_own_order(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]

    assert service["KillMode"] == "mixed"  # the broker is the station's to end
    assert float(service["TimeoutStopSec"]) > STOP_WITHIN
    assert service["TimeoutStartSec"] == "infinity"  # it waits for its database


def test_in_overload_the_station_goes_first_and_its_broker_before_others(unit: configparser.ConfigParser) -> None:
    assert int(unit["Service"]["Nice"]) == -2 * YIELDS


def test_it_writes_to_its_data_folder_alone_as_a_user_of_its_own(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]

    assert service["User"] == service["Group"] == service["StateDirectory"] == "station"
    assert service["Environment"] == "STATION_DATA_DIR=/var/lib/station"
    assert (service["ProtectSystem"], service["StateDirectoryMode"]) == ("strict", "0700")
    assert {service[name] for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp")} == {"yes"}
    assert service["CapabilityBoundingSet"] == ""


def test_it_reaches_the_network_systemd_d_bus_and_the_boards_serial_number(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]

    assert set(service["RestrictAddressFamilies"].split()) >= {"AF_UNIX", "AF_INET", "AF_INET6"}
    assert not {"ProcSubset", "PrivateNetwork", "IPAddressDeny", "WatchdogSec", "MemoryDenyWriteExecute"} & set(service)


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        return  # a machine without systemd has no use for the unit; its lines were parsed above
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    verdict = subprocess.run(
        [analyze, "verify", "--man=no", copy], capture_output=True, text=True, timeout=60, check=False
    )

    assert (verdict.returncode, verdict.stderr) == (0, "")


def test_every_exit_code_is_explained() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}

    assert {0, 1, *EXIT_CODES.values()} <= explained
