"""Whatever can be asked of the assembled station has its row in docs/access.md, where the tests then try it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_app.container import prepared
from station_app.settings import load_settings
from tests.unit.http.access import ROUTES, SOCKETS, routes_of, sockets_of

if TYPE_CHECKING:
    from pathlib import Path

    from litestar import Litestar


@pytest.fixture
async def app(tmp_path: Path) -> Litestar:
    settings = load_settings({"STATION_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})
    with prepared(settings) as container:
        app = container.server()._app
        await container.database().close()
    return app


async def test_every_route_has_its_row(app: Litestar) -> None:
    assert sorted(routes_of(app) - set(ROUTES)) == []
    assert sorted(set(ROUTES) - routes_of(app)) == []


async def test_every_socket_is_the_live_one(app: Litestar) -> None:
    assert sockets_of(app) == SOCKETS
