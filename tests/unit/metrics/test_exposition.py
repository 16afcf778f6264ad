from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

import pytest

from station_adapters.metrics.exposition import SIZE_HOLDS
from station_core.audit.model import STATION, SYSTEM, Action, Deed
from station_core.audit.service import QUEUE_BOUND
from station_core.errors import BrokerUnavailable, DeviceOffline, DeviceUnknown, StoreUnavailable

if TYPE_CHECKING:
    from tests.unit.metrics.conftest import MetricsRig

TOPIC = b"station/memory/device/%s/%s"


class Ears:
    def acknowledge(self, packet_ids: list[int]) -> None:
        """Nobody waits for it."""


async def lived(rig: MetricsRig) -> str:
    """A house in which everything that is counted has happened; the id of its lamp."""
    await rig.log_in()
    device_id, _ = await rig.add()
    await rig.add("strange", "made_by_hand")
    for name, suffix, payload in [
        (b"lamp", b"state", b'{"state":{"on":true}}'),
        (b"lamp", b"state", b"rubbish"),
        (b"nobody", b"state", b'{"state":{}}'),
        (b"lamp", b"heartbeat", b'{"status":"online"}'),
    ]:
        rig.inbound.offer(TOPIC % (name, suffix), payload, 0, 0, Ears())
    await rig.inbound.drained()
    await rig.home.journal.drained()
    await rig.home.commands.send(device_id, {"action": "toggle"}, actor=SYSTEM)
    await rig.home.journal.drained()
    rig.home.health.restarts["link"] += 1
    assert (await rig.http.get(f"/api/devices/{device_id}")).status_code == 200
    assert (await rig.http.get(f"/nowhere/{device_id}")).status_code == 404
    assert (await rig.http.request("BREW", "/api/devices")).status_code == 405
    return device_id


async def test_all_that_is_promised_is_there(rig: MetricsRig) -> None:
    await lived(rig)

    families = await rig.families()

    assert {name for name in families if name.startswith("station_")} == {
        "station_build_info",
        "station_command_seconds",
        "station_cloud_reconnects",
        "station_identity_left_out",
        "station_commands",
        "station_database_size_bytes",
        "station_devices",
        "station_http_request_seconds",
        "station_http_requests",
        "station_intake_bytes",
        "station_intake_messages",
        "station_journal_batch_changes",
        "station_journal_bytes",
        "station_journal_changes",
        "station_journal_commit_seconds",
        "station_journal_refused",
        "station_live_sockets",
        "station_memory_blocks",
        "station_mqtt_messages",
        "station_mqtt_reconnects",
        "station_part_up",
        "station_ready",
        "station_shed",
        "station_tasks",
        "station_worker_restarts",
    }
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds", "python_info"} <= set(families)


async def test_every_family_keeps_to_the_rules_of_the_format(rig: MetricsRig) -> None:
    await lived(rig)

    for family in (await rig.families()).values():
        names = {sample.name for sample in family.samples}
        assert family.documentation
        assert re.fullmatch(r"(station|process|python)_[a-z_]+", family.name)
        assert not re.search(r"_(ms|milliseconds|kb|megabytes|minutes|percent)\b", family.name)
        if family.type == "counter":
            assert all(name.endswith("_total") for name in names), family.name
        else:
            assert not any(name.endswith("_total") for name in names), family.name
        if family.type == "histogram":
            assert names <= {f"{family.name}{end}" for end in ("_bucket", "_count", "_sum")}


async def test_no_label_names_a_device_or_a_person(rig: MetricsRig) -> None:
    device_id = await lived(rig)

    shown = {
        value
        for family in (await rig.families()).values()
        for sample in family.samples
        for value in sample.labels.values()
    }

    whole = " ".join(shown)
    assert not [
        name for name in (device_id, "lamp", "strange", "nobody", "made_by_hand", "user-", "@") if name in whole
    ]


async def test_the_figures_are_those_of_what_happened(rig: MetricsRig) -> None:
    await lived(rig)

    assert await rig.value("station_mqtt_messages_total", kind="state", outcome="accepted") == 1
    assert await rig.value("station_mqtt_messages_total", kind="state", outcome="malformed") == 1
    assert await rig.value("station_mqtt_messages_total", kind="state", outcome="unknown_device") == 1
    assert await rig.value("station_devices", type="light", status="online") == 1
    assert await rig.value("station_devices", type="other", status="offline") == 1
    assert await rig.value("station_commands_total", outcome="sent") == 1
    assert await rig.value("station_command_seconds_count") == 1
    commits = await rig.value("station_journal_commit_seconds_count")
    assert commits == await rig.value("station_journal_batch_changes_count") == rig.home.journal.commits >= 2
    assert await rig.value("station_journal_batch_changes_sum") == 3
    assert await rig.value("station_worker_restarts_total", worker="link") == 1
    assert await rig.value("station_database_size_bytes") == 4096
    assert await rig.value("station_ready") == 1
    assert await rig.value("station_part_up", part="mqtt") == 1
    assert await rig.value("station_journal_changes") == 0


async def test_what_overload_shed_is_told_by_its_class_and_so_are_tasks(rig: MetricsRig) -> None:
    rig.inbound.counts["state", "superseded"] += 3
    rig.inbound.counts["state", "accepted"] += 5
    rig.home.commands.unkept += 2

    assert await rig.value("station_shed_total", **{"class": "telemetry"}) == 3
    assert await rig.value("station_shed_total", **{"class": "activity"}) == 2
    assert await rig.value("station_tasks") == len(asyncio.all_tasks())


async def test_what_lives_in_memory_is_told(rig: MetricsRig) -> None:
    told = await rig.value("station_memory_blocks")

    assert told == pytest.approx(sys.getallocatedblocks(), rel=0.1)


async def test_deeds_that_are_not_recorded_are_counted(rig: MetricsRig) -> None:
    deed = Deed(actor=SYSTEM, action=Action.ORDER, subject=STATION, at=rig.home.clock.now())
    for _ in range(QUEUE_BOUND + 3):
        rig.home.audit.note(deed)

    assert await rig.value("station_shed_total", **{"class": "audit"}) == 3


async def test_requests_are_counted_by_the_templates_of_their_routes(rig: MetricsRig) -> None:
    await lived(rig)
    route = "/api/devices/{device_id}"

    families = await rig.families()

    assert await rig.value("station_http_requests_total", route=route, method="GET", status="200") == 1
    assert await rig.value("station_http_request_seconds_count", route=route, method="GET") == 1
    assert await rig.value("station_http_requests_total", route="none", method="GET", status="404") == 1
    assert not [s for s in families["station_http_requests"].samples if s.labels["method"] == "BREW"]


async def test_commands_that_fail_are_counted_by_their_codes(rig: MetricsRig) -> None:
    device_id, _ = await rig.add()
    with pytest.raises(DeviceOffline):
        await rig.home.commands.send(device_id, {"action": "toggle"}, actor=SYSTEM)
    with pytest.raises(DeviceUnknown):
        await rig.home.commands.send("nobody", {"action": "toggle"}, actor=SYSTEM)
    rig.home.devices.heartbeat("lamp")
    rig.ports.link.trouble = BrokerUnavailable()
    with pytest.raises(BrokerUnavailable):
        await rig.home.commands.send(device_id, {"action": "toggle"}, actor=SYSTEM)

    assert await rig.value("station_commands_total", outcome="device_offline") == 1
    assert await rig.value("station_commands_total", outcome="device_unknown") == 1
    assert await rig.value("station_commands_total", outcome="broker_unavailable") == 1
    assert await rig.value("station_command_seconds_count") == 0


async def test_sessions_after_the_first_are_reconnects(rig: MetricsRig) -> None:
    before = await rig.value("station_mqtt_reconnects_total")
    rig.link.sessions = 3

    assert (before, await rig.value("station_mqtt_reconnects_total")) == (0, 2)


async def test_without_the_database_all_other_figures_are_told(
    rig: MetricsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("station_adapters.metrics.exposition.SIZE_WITHIN", 0.01)
    whole = set(await rig.families())
    rig.database.trouble = StoreUnavailable()
    rig.ports.clock.leap(SIZE_HOLDS)
    away = set(await rig.families())
    rig.database.frozen = True
    rig.ports.clock.leap(SIZE_HOLDS)
    frozen = set(await rig.families())

    assert whole - away == whole - frozen == {"station_database_size_bytes"}


async def test_the_database_is_not_asked_for_its_size_at_each_scrape(rig: MetricsRig) -> None:
    before = await rig.value("station_database_size_bytes")
    rig.database.bytes *= 2
    rig.ports.clock.leap(SIZE_HOLDS / 2)
    meanwhile = await rig.value("station_database_size_bytes")
    rig.ports.clock.leap(SIZE_HOLDS / 2)

    assert (before, meanwhile, await rig.value("station_database_size_bytes")) == (4096, 4096, 8192)
