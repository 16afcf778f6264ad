"""What whoever helps is given, made by the command from a station that lives, and searched for its secrets."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.system.living import OWNER, station_in
from tests.system.test_command_line import station

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

GIVEN = {
    "STATION_JWT_SECRET": "canary-of-the-sessions-0123456789-0123456789",
    "STATION_AGENT_TOKEN": "canary-of-the-agent-0123456789-0123456789",
}
WIFI = "canary-of-the-wifi"
BEARER = "canary-of-a-bearer-0123456789"


def contents(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name.removeprefix("station/"): archive.read(name).decode() for name in archive.namelist()}


async def test_a_bundle_holds_what_helps_and_no_secret(tmp_path: Path) -> None:
    async with station_in(tmp_path, **GIVEN) as running:
        await station(running, "log-level", "debug")
        lamp = await running.add("lamp")
        await running.call("DELETE", f"/api/devices/{lamp['id']}/credentials")
        renewed = (await running.call("POST", f"/api/devices/{lamp['id']}/credentials")).json()["deviceToken"]
        claim = (await running.call("GET", "/api/cloud/claim")).json()["claimSecret"]
        await running.call("PUT", "/api/wifi", json={"ssid": "home", "password": WIFI})
        await running.call("POST", "/api/device/state", json={"state": {"secret": "canary-of-a-report"}})
        await running.call("POST", "/api/auth/login", json={**OWNER, "password": "canary-of-a-guess"})
        access, running.token = running.token, BEARER
        await running.call("GET", f"/api/devices?token={BEARER}")
        code, findings, told = await station(running, "doctor", "--json", "--bundle", str(tmp_path / "live.zip"))
        await running.stop()
        stopped = await station(running, "doctor", "--bundle", str(tmp_path / "dead.zip"))
        kept = [(running.folder / "data" / name).read_text().strip() for name in ("broker", "sealing")]
        digests = (running.folder / "data" / "mosquitto" / "passwords").read_text()

    assert code == 0, told
    assert stopped[0] == 0, stopped
    live, dead = contents(tmp_path / "live.zip"), contents(tmp_path / "dead.zip")
    secrets = [
        *(*GIVEN.values(), *kept, WIFI, BEARER, OWNER["password"], access, lamp["deviceToken"], renewed, claim),
        *(line.partition(":")[2] for line in digests.splitlines()),
        *("canary-of-a-report", "canary-of-a-guess"),
    ]
    found = [
        (name, secret)
        for bundle in (live, dead)
        for name, text in bundle.items()
        for secret in secrets
        if secret in text
    ]
    assert found == []
    assert all(len(secret) > 8 for secret in secrets)
    assert json.loads(live["doctor.json"]).keys() == json.loads(findings).keys()
    assert json.loads(live["health.json"])["devices"] == {"light offline": 1}
    assert "request answered" in live["log.txt"]
    assert "station_ready 1.0" in live["metrics.txt"]
    assert "lamp:***" in live["broker/passwords"]
    assert set(live) - set(dead) == {"health.json", "metrics.txt", "log.txt"}
