from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import Scope  # noqa: TC002  # Litestar reads handlers' annotations

from station_adapters.http.bodies import StationRequest  # noqa: TC001  # Litestar reads handlers' annotations
from station_adapters.http.command_schemas import Sent, sent
from station_adapters.http.editions import etag, is_known, wanted_editions
from station_adapters.http.guards import asker
from station_adapters.http.idempotency import BEARS_A_SECRET
from station_adapters.http.packing import NEVER_PACKED
from station_adapters.http.schemas import DeviceIn, DevicePatch, DeviceWithToken, device_with_token
from station_adapters.http.waiting import in_time
from station_adapters.shapes.devices import DeviceOut, DeviceTypeOut, device_out, device_type_out
from station_core.devices.household import UNCHANGED
from station_core.values import text_weight

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.devices.model import Device
    from station_core.home import Home


Wait = Annotated[float, QueryParameter(ge=0, le=30)]
"""Seconds."""


def device_routes(home: Home, guards: Guards) -> Router:
    """The devices of the household, and commands to them."""
    types = [device_type_out(kind) for kind in home.devices.types]

    @get("/api/devices", before_request=guards.member, sync_to_thread=False)
    def devices(zone_id: Annotated[str | None, QueryParameter(name="zoneId")] = None) -> list[DeviceOut]:
        """All, or those in a zone, by name."""
        found = home.household.devices() if zone_id is None else home.zones.devices(zone_id)
        return [device_out(device) for device in found]

    @get("/api/devices/{device_id:str}", before_request=guards.member, sync_to_thread=False, opt=NEVER_PACKED)
    def device(device_id: FromPath[str], request: StationRequest) -> Response[DeviceOut]:
        """One of them, with its ETag; 304 for who holds it already."""
        return _tagged(home.household.device(device_id), request)

    @post("/api/devices", before_request=guards.admin, opt={**NEVER_PACKED, **BEARS_A_SECRET})
    async def add(data: JSONBody[DeviceIn], scope: Scope) -> DeviceWithToken:
        """A new one, with its token; its MQTT credentials work when the answer comes."""
        _check_zone_id(data.zone_id)
        async with in_time():
            added, token = await home.household.add(
                external_id=data.external_id,
                name=data.name,
                type_id=data.type,
                zone_id=data.zone_id,
                by=asker(scope),
            )
        return device_with_token(added, token)

    @patch("/api/devices/{device_id:str}", before_request=guards.admin, opt=NEVER_PACKED)
    async def change(
        device_id: FromPath[str], data: JSONBody[DevicePatch], request: StationRequest
    ) -> Response[DeviceOut]:
        """Its name, its zone; with If-Match, only if nobody else has changed them."""
        editions = wanted_editions(request)
        name = UNCHANGED if data.name is msgspec.UNSET else data.name
        zone_id = UNCHANGED if data.zone_id is msgspec.UNSET else data.zone_id
        if isinstance(zone_id, str):
            _check_zone_id(zone_id)
        async with in_time():
            changed = await home.household.update(
                device_id, name=name, zone_id=zone_id, editions=editions, by=asker(request.scope)
            )
        return _tagged(changed)

    @delete("/api/devices/{device_id:str}", before_request=guards.admin)
    async def remove(device_id: FromPath[str], scope: Scope) -> None:
        """Forget it."""
        async with in_time():
            await home.household.remove(device_id, by=asker(scope))

    @post("/api/devices/{device_id:str}/command", before_request=guards.member, status_code=200, opt=NEVER_PACKED)
    async def command(device_id: FromPath[str], data: JSONBody[dict[str, Any]], scope: Scope, wait: Wait = 0.0) -> Sent:
        """Sent once the broker has it; with `wait`, applied once the device reports the effect in time."""
        actor = asker(scope)
        wanted = _flat(data)
        if wait == 0.0:
            return sent(await home.commands.send(device_id, wanted, actor=actor))
        command_id, shown = await home.watch.send(device_id, wanted, actor=actor, within=wait)
        return sent(command_id, shown)

    @get("/api/device-types", before_request=guards.member, sync_to_thread=False)
    def device_types() -> list[DeviceTypeOut]:
        """What kinds of device there are."""
        return types

    handlers = [devices, device, add, change, remove, command, device_types]
    return Router("/", route_handlers=handlers, tags=["devices"])


def _tagged(device: Device, request: StationRequest | None = None) -> Response[Any]:
    shown = device_out(device)
    tag = etag(shown, device.edition)
    if request is not None and is_known(request, tag):
        return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers={"etag": tag})
    return Response(shown, headers={"etag": tag})


def _flat(body: dict[str, Any]) -> dict[str, Any]:
    """`{"action": …}` of `{"command": {"action": …}}`; what is neither is left to the command's own check."""
    inner = body.get("command")
    return inner if "action" not in body and isinstance(inner, dict) else body


def _check_zone_id(zone_id: str | None) -> None:
    if zone_id is not None:
        text_weight(zone_id)
