"""What is installed from the built wheel, without the checkout, is a whole station."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import ZipFile

import pytest

from tests.system.living import StationProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("station_core", "station_adapters", "station_app")
OUTSIDE: Final = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(command: Sequence[str | Path], folder: Path) -> str:
    ended = subprocess.run(command, cwd=folder, env=OUTSIDE, capture_output=True, text=True, check=False, timeout=100)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that holds the wheel; its dependencies are those of the running environment."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    python = folder / "bin" / "python"
    run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel], ROOT)
    (packages,) = folder.glob("lib/python*/site-packages")
    # Paths that a .pth adds aren't searched for other .pth: the checkout's editable install stays out of sight.
    theirs = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (packages / "dependencies.pth").write_text("\n".join(theirs))
    return folder


def test_the_wheel_holds_all_that_the_checkout_has_of_it(wheel: Path) -> None:
    kept = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {
        str(path.relative_to(ROOT / "src")) for package in PACKAGES for path in (ROOT / "src" / package).rglob("*.py")
    }
    migrations = {
        f"station_adapters/sql/{path.relative_to(ROOT)}"
        for path in (ROOT / "alembic").rglob("*")
        if path.suffix in {".py", ".mako"}
    }

    assert sources | migrations <= kept
    assert not [name for name in kept if name.startswith(("tests/", "alembic/"))]


def test_all_packages_come_from_the_environment_it_is_installed_in(installed: Path) -> None:
    question = f"import {', '.join(PACKAGES)}; print({', '.join(f'{name}.__file__' for name in PACKAGES)}, sep='\\n')"
    found = run([installed / "bin" / "python", "-c", question], installed).splitlines()

    assert len(found) == len(PACKAGES)
    assert all(Path(path).is_relative_to(installed) for path in found)


async def test_an_installed_station_makes_its_tables_and_serves_and_ends(installed: Path, tmp_path: Path) -> None:
    station = StationProcess(tmp_path, {"PYTHONPATH": ""}, command=(str(installed / "bin" / "station"),))
    try:
        await station.start()
        await station.log_in()
        added = await station.add("lamp")
        code = await station.stop()
    finally:
        await station.kill()

    assert added["externalId"] == "lamp"
    assert code == 0
    assert (tmp_path / "data" / "station.db").is_file()
