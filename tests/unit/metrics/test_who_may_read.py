from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from station_core.identity.model import Role
from tests.unit.http.problems import refused

if TYPE_CHECKING:
    from tests.unit.metrics.conftest import MetricsRig


def come_from(rig: MetricsRig, address: str) -> None:
    transport = rig.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    transport.client = (address, 40_000)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "[::1]:3000", "localhost"])
async def test_a_scraper_on_the_same_machine_needs_no_token(rig: MetricsRig, address: str, host: str) -> None:
    come_from(rig, address)

    answer = await rig.http.get("/metrics", headers={"host": host})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert [family for family in text_string_to_metric_families(answer.text) if family.name == "station_ready"]


@pytest.mark.parametrize("address", ["192.168.1.20", "10.0.0.1", "fe80::1", "unix"])
async def test_nobody_else_reads_without_one(rig: MetricsRig, address: str) -> None:
    come_from(rig, address)

    answer = await rig.http.get("/metrics")

    refused(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"via": "1.1 proxy"},
        {"host": "rebound.example"},
        {"host": "127.0.0.1.rebound.example:3000"},
        {"host": "[::1"},
        {"host": ""},
    ],
    ids=str,
)
async def test_who_may_ask_for_somebody_else_is_not_local(rig: MetricsRig, headers: dict[str, str]) -> None:
    answer = await rig.http.get("/metrics", headers=headers)

    refused(answer, 401, "unauthenticated")


@pytest.mark.parametrize(("role", "status"), [(Role.OWNER, 200), (Role.ADMIN, 200), (Role.MEMBER, 403)])
async def test_from_elsewhere_owners_and_admins_read(rig: MetricsRig, role: Role, status: int) -> None:
    come_from(rig, "192.168.1.20")
    await rig.log_in(role)

    answer = await rig.http.get("/metrics")

    assert answer.status_code == status
