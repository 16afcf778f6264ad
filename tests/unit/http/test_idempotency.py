"""Writes that are sent again (docs/protocols.md §4, "Sending again")."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args

import pytest
from litestar.handlers import HTTPRouteHandler

from station_adapters.http.app import create_app
from station_adapters.http.callers import Callers
from station_adapters.http.guards import guards_of
from station_adapters.http.idempotency import BEARS_A_SECRET, WRITES, Attempt, key_in, repeatable
from station_adapters.http.live import LiveHub
from station_adapters.memory.home import MemoryPorts
from station_core.errors import Malformed, StoreUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import LAMP, PASSWORD, problem, under_way, until

if TYPE_CHECKING:
    from tests.contract.http_rig import HttpRig

KEY = {"Idempotency-Key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}


async def test_what_is_sent_again_is_done_once_and_answered_the_same(rig: HttpRig) -> None:
    await rig.log_in()

    first = await rig.http.post("/api/devices", json=LAMP, headers=KEY)
    again = await rig.http.post("/api/devices", json=LAMP, headers=KEY)

    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(rig.home.household.devices()) == 1
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


async def test_a_toggle_that_is_sent_again_toggles_once(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})
    path = f"/api/devices/{device_id}/command"

    answers = [await rig.http.post(path, json={"action": "toggle"}, headers=KEY) for _ in range(3)]

    assert len({answer.json()["commandId"] for answer in answers}) == 1
    assert len(rig.ports.link.commands) == 1


async def test_an_answer_without_a_body_comes_again_too(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()

    answers = [await rig.http.delete(f"/api/devices/{device_id}", headers=KEY) for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2


async def test_what_goes_with_an_answer_comes_again_with_it(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()

    answers = [await rig.http.patch(f"/api/devices/{device_id}", json={"name": "Sun"}, headers=KEY) for _ in range(2)]

    assert answers[0].headers["etag"] == answers[1].headers["etag"]


async def test_a_header_that_was_there_twice_comes_twice_again(rig: HttpRig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.log_in()
    started = Attempt.hear

    def with_cookies(attempt: Attempt, message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        started(attempt, message)

    monkeypatch.setattr(Attempt, "hear", with_cookies)
    first = await rig.http.post("/api/zones", json={"name": "Attic"}, headers=KEY)
    monkeypatch.undo()

    again = await rig.http.post("/api/zones", json={"name": "Attic"}, headers=KEY)

    assert first.headers.get_list("set-cookie") == again.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_every_guard_of_people_lets_them_send_again(rig: HttpRig) -> None:
    home = rig.home
    guards = guards_of(home, lambda _: True, Callers())
    again = repeatable(guards)

    differing = {
        field.name for field in fields(guards) if getattr(guards, field.name) is not getattr(again, field.name)
    }

    assert differing == {field.name for field in fields(guards)} - {"device", "agent"}


async def test_a_refusal_is_an_answer_too(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    refused = await rig.http.post("/api/devices", json=LAMP, headers=KEY)
    await rig.home.household.remove(device_id)

    again = await rig.http.post("/api/devices", json=LAMP, headers=KEY)

    assert problem(refused) == problem(again) == (409, "external_id_taken")
    assert again.headers["idempotent-replayed"] == "true"


async def test_what_failed_for_us_is_done_anew(rig: HttpRig) -> None:
    await rig.log_in()
    rig.ports.store.trouble = StoreUnavailable()
    failed = await rig.http.post("/api/devices", json=LAMP, headers=KEY)
    rig.ports.store.trouble = None

    again = await rig.http.post("/api/devices", json=LAMP, headers=KEY)

    assert problem(failed) == (503, "store_unavailable")
    assert again.status_code == 201
    assert "idempotent-replayed" not in again.headers


async def test_while_the_first_is_under_way_the_next_is_told_so(rig: HttpRig) -> None:
    await rig.log_in()
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": False})
    path = f"/api/devices/{device_id}/command?wait=30"

    async with under_way(rig, "POST", path, json={"action": "toggle"}, headers=KEY) as first:
        await until(lambda: rig.ports.link.commands)
        meanwhile = await rig.http.post(path, json={"action": "toggle"}, headers=KEY)
        rig.home.devices.report_state("lamp", {"on": True})

    assert problem(meanwhile) == (409, "still_answering")
    assert "retry-after" in meanwhile.headers
    assert first.result().json()["status"] == "applied"
    assert (await rig.http.post(path, json={"action": "toggle"}, headers=KEY)).content == first.result().content


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("POST", "/api/devices", {"json": {**LAMP, "name": "Sun"}}),
        ("POST", "/api/devices?x=1", {"json": LAMP}),
        ("POST", "/api/devices", {"json": LAMP, "headers": {**KEY, "If-Match": '"a"'}}),
        ("POST", "/api/zones", {"json": LAMP}),
        ("PUT", "/api/wifi", {"json": LAMP}),
    ],
)
async def test_a_key_is_for_one_request_only(rig: HttpRig, method: str, path: str, more: Any) -> None:
    await rig.log_in()
    await rig.http.post("/api/devices", json=LAMP, headers=KEY)

    answer = await rig.http.request(method, path, **{"headers": KEY, **more})

    assert problem(answer) == (422, "idempotency_key_reused")


async def test_a_key_is_its_sender_s_alone(rig: HttpRig) -> None:
    await rig.log_in(Role.OWNER)
    of_owner = await rig.http.post("/api/zones", json={"name": "Attic"}, headers=KEY)
    await rig.log_in(Role.ADMIN)

    of_admin = await rig.http.post("/api/zones", json={"name": "Cellar"}, headers=KEY)

    assert (of_owner.status_code, of_admin.status_code) == (201, 201)


async def test_who_shows_no_credential_learns_nothing_of_it(rig: HttpRig) -> None:
    await rig.log_in()
    await rig.http.post("/api/devices", json=LAMP, headers=KEY)
    del rig.http.headers["authorization"]

    assert problem(await rig.http.post("/api/devices", json=LAMP, headers=KEY)) == (401, "unauthenticated")


async def test_who_has_lost_the_right_learns_nothing_of_it_either(rig: HttpRig) -> None:
    await rig.log_in()
    await rig.http.post("/api/devices", json=LAMP, headers=KEY)
    users = rig.ports.identities._users
    users["user-owner"] = replace(users["user-owner"], role=Role.MEMBER)
    await rig.home.residents.load()
    login = await rig.home.access.login(email="owner@home.example", password=PASSWORD)
    rig.http.headers["authorization"] = f"Bearer {login.access_token}"

    assert problem(await rig.http.post("/api/devices", json=LAMP, headers=KEY)) == (403, "forbidden")


@pytest.mark.parametrize(
    "key", [b"", b'""', b'"no end', b'"\xc3\xa9"', b'"a\\b"', b'"a", "b"', b"a b", b"x" * 256, b'"' + b"x" * 256 + b'"']
)
async def test_a_key_that_is_none_is_refused(rig: HttpRig, key: bytes) -> None:
    await rig.log_in()

    answer = await rig.http.post("/api/devices", json=LAMP, headers=[(b"idempotency-key", key)])

    assert problem(answer) == (400, "malformed")
    assert rig.home.household.devices() == []


def test_a_key_is_the_same_with_quotes_and_without() -> None:
    assert key_in([b'"8e03978e"']) == key_in([b"8e03978e"]) == "8e03978e"
    assert key_in([b'"say \\"a\\\\b\\""']) == 'say "a\\b"'
    with pytest.raises(Malformed):
        key_in([b"a", b"a"])


async def test_a_body_that_is_none_can_be_mended_only_under_another_key(rig: HttpRig) -> None:
    await rig.log_in()
    refused = [await rig.http.post("/api/devices", content=b"{", headers=KEY) for _ in range(2)]

    mended = await rig.http.post("/api/devices", json=LAMP, headers=KEY)

    assert [problem(answer) for answer in refused] == [(400, "malformed")] * 2
    assert problem(mended) == (422, "idempotency_key_reused")


async def test_reading_is_no_write(rig: HttpRig) -> None:
    await rig.log_in()
    before = await rig.http.get("/api/devices", headers=KEY)
    await rig.http.post("/api/devices", json=LAMP, headers=KEY)

    assert before.json() != (await rig.http.get("/api/devices", headers=KEY)).json()


async def test_what_is_kept_can_be_read_by_every_client(rig: HttpRig) -> None:
    await rig.log_in()
    zone = {"name": "Attic"}

    first = await rig.http.post("/api/zones", json=zone, headers={**KEY, "Accept-Encoding": "gzip"})
    again = await rig.http.post("/api/zones", json=zone, headers={**KEY, "Accept-Encoding": "identity"})

    assert first.json() == again.json()
    assert "content-encoding" not in again.headers


async def test_login_is_not_kept_under_any_key(rig: HttpRig) -> None:
    body = {"email": "ada@home.example", "password": "correct horse", "name": "Ada"}
    first = await rig.http.post("/api/auth/register", json=body, headers=KEY)

    again = await rig.http.post("/api/auth/register", json=body, headers=KEY)

    assert first.status_code == 201
    assert problem(again) == (403, "registration_closed")


async def test_devices_have_no_keys(rig: HttpRig) -> None:
    _, token = await rig.add()

    for on in (True, False):
        answer = await rig.http.post("/api/device/state", json={"state": {"on": on}}, headers={**token, **KEY})
        assert answer.status_code == 202


def test_what_bears_a_secret_says_so() -> None:
    ports = MemoryPorts()
    home = ports.home()
    app = create_app(home, ports.store, LiveHub(home))
    handlers = {handler for route in app.routes for handler in getattr(route, "route_handlers", [])}
    secret = {
        handler.handler_name
        for handler in handlers
        if isinstance(handler, HTTPRouteHandler)
        and handler.http_methods & WRITES
        and handler.before_request is not None
        and any(word in name for name in fields_of(handler) for word in ("token", "secret", "password"))
    }
    said = {handler.handler_name for handler in handlers if BEARS_A_SECRET.items() <= handler.opt.items()}

    assert secret == said != set()


def fields_of(handler: HTTPRouteHandler) -> list[str]:
    """The names in what it answers with, by itself or in a `Response`."""
    answer = handler.parsed_fn_signature.return_type.annotation
    return [name for kind in (answer, *get_args(answer)) for name in getattr(kind, "__struct_fields__", ())]
