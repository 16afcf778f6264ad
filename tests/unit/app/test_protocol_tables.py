"""The tables of docs/protocols.md are what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from station_adapters.http import messages
from station_adapters.http.errors import REFUSALS, STATUS
from station_adapters.mosquitto.files import DEVICE_READS, DEVICE_WRITES
from station_adapters.mqtt import topics
from station_adapters.sql.tables import metadata
from station_core.devices.types import TYPES, Capability, CommandType, DeviceType, Kind
from station_core.errors import StationError

PAGE: Final = (Path(__file__).parents[3] / "docs" / "protocols.md").read_text()
NOT_BUILT_MESSAGES: Final = {
    "automation_run_completed",
    "provisioning_candidate",
    "provisioning_candidate_lost",
    "provisioning_progress",
}
NOT_BUILT_CODES: Final = {"provisioning_busy", "stale"}


def rows(header: str) -> list[list[str]]:
    """The cells below the table's line of headings."""
    lines = PAGE.partition(f"\n{header}\n")[2].splitlines()[1:]
    table = lines[: next(n for n, line in enumerate([*lines, ""]) if not line.startswith("|"))]
    assert table, header
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def coded(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_suffixes_are_those_that_the_station_hears_and_says() -> None:
    table = rows("| direction | suffix | payload | the station's handler |")
    up = [coded(suffix)[0] for direction, suffix, *_ in table if direction == "device → station"]
    down = [coded(suffix)[0] for direction, suffix, *_ in table if direction == "station → device"]

    assert up == [suffix.value for suffix in topics.Suffix]
    assert {*up, "command/ack"} == set(DEVICE_WRITES)  # the last: "What newer firmware adds"
    assert down == list(DEVICE_READS)
    assert [topics.handshake_ack("s", "d"), topics.command("s", "d")] == [f"station/s/device/d/{one}" for one in down]


def test_the_subscriptions_are_the_printed_ones() -> None:
    bullet = PAGE.partition("Wildcards for both ids: ")[2].partition(", at QoS 1")[0]
    first, *others = coded(bullet)
    base = first.rpartition("/")[0]

    assert list(topics.SUBSCRIPTIONS) == [first, *(other.replace("...", base) for other in others)]


def capability(one: Capability) -> str:
    if one.type is Kind.BOOLEAN:
        return f"{one.key} (bool)"
    bounds = "" if one.min is None else f"{one.min:g}–{one.max:g} "  # the page's dash
    return f"{one.key} ({bounds}{one.unit})"


def command(one: CommandType) -> str:
    words = ", ".join(f"`{p.name}`: int {p.min:g}–{p.max:g}" for p in one.parameters)  # as above
    return f"{one.action}({words})" if words else one.action


def type_row(kind: DeviceType) -> list[str]:
    return [
        f"`{kind.id}`",
        kind.category,
        "yes" if kind.periodic else "no",
        ", ".join(capability(one) for one in kind.capabilities) or "–",  # as above
        ", ".join(command(one) for one in kind.commands) or "–",  # as above
        ", ".join(kind.events) or "–",  # as above
    ]


def test_the_device_types_are_the_printed_ones() -> None:
    table = rows("| type | category | periodic | capabilities | commands | events |")

    assert table == [type_row(kind) for kind in TYPES]


def test_every_code_has_the_printed_status() -> None:
    printed = {code: int(status) for status, codes in rows("| status | codes |") for code in coded(codes)}
    built = {error.code: status for error, status in STATUS.items() if status != 500 or error is StationError}
    built |= {code: status for status, (code, _) in REFUSALS.items()}

    assert {code: status for code, status in built.items() if printed.get(code) != status} == {}
    assert set(printed) - NOT_BUILT_CODES <= set(built)


def test_the_live_messages_are_the_printed_ones() -> None:
    printed = {name for cell, _ in rows("| message | beside `type` |") for name in coded(cell)}
    built = {str(kind.__struct_config__.tag) for kind in messages._MESSAGES.values()} | {"link_status"}

    assert printed - NOT_BUILT_MESSAGES <= built <= printed


def test_what_a_client_may_say_is_what_is_printed() -> None:
    sentence = PAGE.partition("Client → server: ")[2].partition("; anything else")[0]
    built = {str(kind.__struct_config__.tag) for kind in messages.Heard.__args__}

    assert set(coded(sentence)) - {"pong"} == built


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: str(table.name))
def test_every_table_of_the_database_is_printed(table: object) -> None:
    printed = {coded(cell)[0] for cell, _ in rows("| table | columns |")}

    assert getattr(table, "name", None) in printed
