from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar.serialization import encode_json

from station_adapters.http import member_schemas, schemas, session_schemas
from station_adapters.http.audit import record_out
from station_adapters.http.bodies import decode
from station_adapters.http.errors import problem_of
from station_adapters.shapes.devices import device_out, device_type_out
from station_core import errors
from station_core.audit.model import Action, Actor, ActorKind, Deed, Record, Subject, SubjectKind
from station_core.devices.activity import Activity, ActivityPage
from station_core.devices.types import TYPES
from station_core.identity.model import Invite, Login, Role, Session, User
from tests.contract.golden import cases, device, fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KINDS = {kind.id: kind for kind in TYPES}
SHAPES = {**vars(session_schemas), **vars(schemas), **vars(member_schemas)}


def written(case: dict[str, Any]) -> object:
    return SAID[case["what"]](case)


def activity(case: dict[str, Any]) -> object:
    items = [Activity(**fields(item)) for item in case["of"]]
    return schemas.activity_page(ActivityPage(items=items, next_cursor=case["cursor"]))


def login(case: dict[str, Any]) -> object:
    tokens = {name: case[name] for name in ("access_token", "refresh_token")}
    return schemas.login_out(Login(user=User(**in_role(case["of"])), **tokens))


def in_role(of: dict[str, Any]) -> dict[str, Any]:
    return {**fields(of), "role": Role(of["role"])}


def record(case: dict[str, Any]) -> Record:
    actor, subject = dict(case["actor"]), dict(case["subject"])
    deed = Deed(
        actor=Actor(kind=ActorKind(actor.pop("kind")), **actor),
        action=Action(case["action"]),
        subject=Subject(kind=SubjectKind(subject.pop("kind")), **subject),
        result=case["result"],
        detail=case["detail"],
        at=datetime.fromisoformat(case["at"]),
    )
    return Record(number=case["number"], deed=deed)


def sessions(case: dict[str, Any]) -> object:
    of = [Session(**fields(one), device=case["device"]) for one in case["of"]]
    shown = [session_schemas.session_out(one, current=one.id == case["current"]) for one in of]
    return session_schemas.SessionPage(items=shown, next_cursor=None)


SAID: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    "device": lambda case: device_out(device(case["of"])),
    "device_with_token": lambda case: schemas.device_with_token(device(case["of"]), case["token"]),
    "device_type": lambda case: device_type_out(KINDS[case["of"]]),
    "activity": activity,
    "login": login,
    "person": lambda case: member_schemas.person_out(User(**in_role(case["of"]))),
    "invite": lambda case: member_schemas.invite_out(Invite(**in_role(case["of"]))),
    "record": lambda case: record_out(record(case)),
    "sessions": sessions,
}


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
    assert msgspec.to_builtins(decode(case["body"], SHAPES[case["what"]])) == case["means"]


@cases("rest/said")
def test_a_client_that_knows_the_shape_reads_back_what_was_written(case: dict[str, Any]) -> None:
    answer = written(case)

    assert msgspec.json.decode(case["body"], type=type(answer)) == answer
