from __future__ import annotations

from typing import Any

import msgspec
from litestar.serialization import encode_json

from station_adapters.http import schemas
from station_adapters.http.bodies import decode
from station_adapters.http.errors import problem_of
from station_core import errors
from station_core.devices.activity import Activity, ActivityPage
from station_core.devices.types import TYPES
from station_core.identity.model import Login, Role, User
from tests.contract.golden import cases, device, fields

KINDS = {kind.id: kind for kind in TYPES}


def written(case: dict[str, Any]) -> object:
    match case["what"]:
        case "device":
            return schemas.device_out(device(case["of"]))
        case "device_with_token":
            return schemas.device_with_token(device(case["of"]), case["token"])
        case "device_type":
            return schemas.device_type_out(KINDS[case["of"]])
        case "activity":
            items = [Activity(**fields(item)) for item in case["of"]]
            return schemas.activity_page(ActivityPage(items=items, next_cursor=case["cursor"]))
        case "login":
            user = User(**{**fields(case["of"]), "role": Role(case["of"]["role"])})
            tokens = {name: case[name] for name in ("access_token", "refresh_token")}
            return schemas.login_out(Login(user=user, **tokens))
        case what:
            raise AssertionError(what)


@cases("rest/said")
def test_an_answer_is_written_byte_by_byte(case: dict[str, Any]) -> None:
    assert encode_json(written(case)).decode() == case["body"]


@cases("rest/problem")
def test_a_problem_is_written_byte_by_byte_with_its_status_and_headers(case: dict[str, Any]) -> None:
    body, headers = problem_of(getattr(errors, case["error"])(), case["path"])

    assert encode_json(body).decode() == case["body"]
    assert (body.status, headers) == (case["status"], case["headers"])


@cases("rest/heard")
def test_a_request_is_read_as_the_page_says(case: dict[str, Any]) -> None:
    assert msgspec.to_builtins(decode(case["body"], getattr(schemas, case["what"]))) == case["means"]


@cases("rest/said")
def test_a_client_that_knows_the_shape_reads_back_what_was_written(case: dict[str, Any]) -> None:
    answer = written(case)

    assert msgspec.json.decode(case["body"], type=type(answer)) == answer
