"""What a phone does that lost its connection: it sends again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.contract.http_rig import LAMP, serving


async def test_who_was_cut_off_before_the_answer_gets_it_when_they_send_again() -> None:
    async with serving() as rig:
        await rig.log_in()
        asked, goes_on, add = asyncio.Event(), asyncio.Event(), rig.ports.store.add

        async def slowly(*arguments: Any, **more: Any) -> None:
            asked.set()
            await goes_on.wait()
            await add(*arguments, **more)

        body = json.dumps(LAMP).encode()
        head = (
            "POST /api/devices HTTP/1.1",
            "Host: station",
            f"Authorization: {rig.http.headers['authorization']}",
            'Idempotency-Key: "k"',
            f"Content-Length: {len(body)}",
            "",
            "",
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rig.ports.store, "add", slowly)
            _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
            writer.write("\r\n".join(head).encode() + body)
            async with asyncio.timeout(10):
                await asked.wait()
            writer.transport.abort()
            early = await rig.http.post("/api/devices", content=body, headers={"Idempotency-Key": '"k"'})
            goes_on.set()
            late = early
            async with asyncio.timeout(10):
                while late.status_code == 409:
                    late = await rig.http.post("/api/devices", content=body, headers={"Idempotency-Key": '"k"'})

        assert early.json()["code"] == "still_answering"
        assert (late.status_code, late.headers["idempotent-replayed"]) == (201, "true")
        assert late.json()["deviceToken"]
        assert [device.id for device in rig.home.household.devices()] == [late.json()["id"]]
