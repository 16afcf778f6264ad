from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from station_core.correlation import request_id
from station_core.health import Phase
from tests.unit.http.problems import refused

if TYPE_CHECKING:
    from tests.contract.http_rig import HttpRig


@pytest.mark.parametrize("given", ["abc", "A.b_c-9", "x" * 64])
async def test_the_id_that_the_caller_gave_comes_back(rig: HttpRig, given: str) -> None:
    answer = await rig.http.get("/api/devices", headers={"X-Request-Id": given})

    assert answer.headers["x-request-id"] == given
    assert refused(answer, 401, "unauthenticated")["requestId"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "ä", "a;b", '"', "a/b"])
async def test_what_is_no_id_is_replaced(rig: HttpRig, given: str) -> None:
    answer = await rig.http.get("/health", headers=[(b"X-Request-Id", given.encode())])

    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_two_ids_are_none(rig: HttpRig) -> None:
    answer = await rig.http.get("/health", headers=[("X-Request-Id", "one"), ("X-Request-Id", "two")])

    assert answer.headers.get_list("x-request-id") not in (["one"], ["two"])
    assert len(answer.headers.get_list("x-request-id")) == 1


async def test_each_request_gets_its_own(rig: HttpRig) -> None:
    ids = [(await rig.http.get("/health")).headers["x-request-id"] for _ in range(3)]

    assert len(set(ids)) == 3
    assert request_id.get() is None


async def test_an_answer_from_the_door_bears_it_too(rig: HttpRig) -> None:
    rig.home.health.phase = Phase.STOPPING

    answer = await rig.http.get("/api/devices", headers={"X-Request-Id": "late"})

    assert answer.headers["x-request-id"] == "late"
    assert refused(answer, 503, "unavailable")["requestId"] == "late"


async def test_a_command_is_logged_with_the_request_and_its_own_id(
    rig: HttpRig, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.heartbeat("lamp")
    seen: list[tuple[str, str | None]] = []

    class Witness(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), request_id.get()))

    witness = Witness()
    logging.getLogger("station").addHandler(witness)
    try:
        with caplog.at_level(logging.DEBUG, logger="station"):
            answer = await rig.http.post(
                f"/api/devices/{device_id}/command", json={"action": "toggle"}, headers={"X-Request-Id": "from-app"}
            )
    finally:
        logging.getLogger("station").removeHandler(witness)

    [sent] = [record for record in caplog.records if record.getMessage() == "command sent"]
    assert vars(sent)["command_id"] == answer.json()["commandId"]
    assert vars(sent)["device_id"] == device_id
    assert ("command sent", "from-app") in seen
    assert ("request answered", "from-app") in seen
