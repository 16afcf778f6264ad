"""Whether the station has a link with a cloud, and what it does for it; without one nothing of it is imported."""

from __future__ import annotations

import random
import ssl
from typing import TYPE_CHECKING

from station_core.cloud.liaison import Liaison
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from station_adapters.cloud.line import Service
    from station_adapters.cloud.link import CloudLink
    from station_app.settings import Settings
    from station_core.home import Home


def cloud_link(settings: Settings, home: Home) -> CloudLink | None:
    """The link with the cloud of the settings; None where they name none."""
    if settings.cloud_url is None:
        return None
    from station_adapters.cloud.link import CloudLink  # noqa: PLC0415  # see above

    tls = trust(settings) if settings.cloud_url.startswith("wss:") else None
    liaison = Liaison(
        claim=home.claim,
        board=home.cloud,
        health=home.health,
        clock=home.clock,
        luck=random.random,
        verified=tls is not None,
    )
    return CloudLink(
        url=settings.cloud_url, tls=tls, liaison=liaison, claim=home.claim, service=service(home), clock=home.clock
    )


def service(home: Home) -> Service:
    """What the station does for the cloud."""
    from station_adapters.cloud.line import Service  # noqa: PLC0415  # see above
    from station_adapters.cloud.methods import methods  # noqa: PLC0415  # same
    from station_adapters.cloud.obedience import Obedience  # noqa: PLC0415  # same
    from station_adapters.cloud.uplink import Courier  # noqa: PLC0415  # same

    courier = Courier(outbox=home.outbox, bus=home.bus, clock=home.clock)
    return Service(methods=methods(home), obey=Obedience(home).obey, uplink=courier.carry)


def trust(settings: Settings) -> ssl.SSLContext:
    """Whom the station takes for its cloud; raise `SettingInvalid` for a file without certificates."""
    try:
        return ssl.create_default_context(cafile=settings.cloud_ca_file)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "it holds no certificate"
        raise SettingInvalid(f"STATION_CLOUD_CA_FILE {settings.cloud_ca_file}: {reason}.") from error
