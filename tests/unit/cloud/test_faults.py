from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.cloud.faults import BUGS, INTERNAL, fault_of
from station_adapters.http.errors import STATUS
from station_core import errors as facts

if TYPE_CHECKING:
    from station_core.errors import StationError


@pytest.mark.parametrize("error", STATUS, ids=lambda error: error.code)
def test_every_error_has_its_code_in_json_rpc(error: type[StationError]) -> None:
    fault = fault_of(error())

    if error in BUGS:
        assert fault == INTERNAL
    else:
        assert fault.code == (-32602 if issubclass(error, facts.Malformed) else -32000)
        assert fault.data == {"code": error.code}
        assert fault.message == error.fact


def test_what_is_a_bug_over_http_is_one_here() -> None:
    assert {error for error, status in STATUS.items() if status == 500} == BUGS
