from __future__ import annotations

import hashlib
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from dependency_injector import containers, providers

from station_adapters.ble.virtual import VirtualAir
from station_adapters.control.server import ControlServer
from station_adapters.credentials.jwt import JwtAccessTokens
from station_adapters.credentials.passwords import Argon2Passwords
from station_adapters.credentials.sealing import AesGcmSealer
from station_adapters.http.app import create_app
from station_adapters.http.callers import Callers
from station_adapters.http.live import LiveHub
from station_adapters.http.server import HttpServer
from station_adapters.http.traffic import Traffic
from station_adapters.metrics.exposition import Exposition
from station_adapters.mosquitto.broker import ForeignBroker, MosquittoBroker
from station_adapters.mosquitto.files import Listener, Login
from station_adapters.mqtt.address import BrokerAddress
from station_adapters.mqtt.inbound import Inbound
from station_adapters.mqtt.link import MqttLink
from station_adapters.qr.codes import svg
from station_adapters.sql.agent import SqlAgentStore
from station_adapters.sql.apart import UpgradeApart
from station_adapters.sql.audit import SqlAuditStore
from station_adapters.sql.child import TablesChild
from station_adapters.sql.cloud import SqlCloudStore
from station_adapters.sql.devices import SqlDeviceStore
from station_adapters.sql.engine import open_database
from station_adapters.sql.identity import SqlIdentityStore
from station_adapters.sql.lock import store_lock
from station_adapters.sql.outbox import SqlOutbox
from station_adapters.sql.provisioning import SqlProvisioningStore
from station_adapters.system.clock import SystemClock, SystemRandomness
from station_adapters.system.files import private_folder, write_atomically
from station_app.cloud import cloud_link
from station_app.hold import held
from station_app.orders import Desk
from station_app.orders.bundle import Bundle
from station_app.orders.doctor import Doctor
from station_app.radio import radio
from station_app.settings import Origin, Secret, prepare
from station_app.station import Station
from station_core.devices.types import TYPES
from station_core.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from station_adapters.cloud.link import CloudLink
    from station_app.settings import Settings, StationKeys
    from station_core.cloud.ports import Outbox
    from station_core.devices.ports import BrokerDoor
    from station_core.devices.types import DeviceType


OWN_USER: Final = "station/own"  # on the own broker; no device can bear a name with a slash


def own_broker(settings: Settings, keys: StationKeys) -> MosquittoBroker | None:
    """The station's own broker, None when the settings name another."""
    if not settings.embedded:
        return None
    folder = settings.data_dir / "mosquitto"
    private_folder(folder)
    return MosquittoBroker(
        listener=Listener(host=settings.mqtt_host, port=settings.mqtt_port, anonymous=settings.mqtt_allow_anonymous),
        station=Login(user=OWN_USER, password=keys.broker.reveal()),
        folder=folder,
        write=write_atomically,
    )


def door(own: MosquittoBroker | None) -> BrokerDoor:
    """Who tells the broker whom to let in."""
    return ForeignBroker() if own is None else own


def mqtt_link(settings: Settings, keys: StationKeys, own: MosquittoBroker | None) -> MqttLink:
    """The link to the broker of the settings, or to the own one."""
    if own is None:
        assert settings.mqtt_url is not None
        return MqttLink(settings.mqtt_url, f"station/{keys.station_id}")
    heard, spoken = (
        BrokerAddress(host=own.host, port=settings.mqtt_port, user=login.user, password=login.password)
        for login in own.logins
    )
    # Where everybody may choose a client id, who knew ours could throw us off.
    secret = hashlib.sha256(keys.broker.reveal().encode()).hexdigest()[:32]
    return MqttLink(heard, f"{OWN_USER}/{secret}" if settings.mqtt_allow_anonymous else OWN_USER, spoken)


def broker_host(settings: Settings) -> str:
    """Where devices reach the broker: the own one by this host's name, another by the one of its URL."""
    named = settings.origins["STATION_MQTT_PUBLIC_HOST"] is not Origin.DEFAULT
    return settings.mqtt_public_host if named or settings.mqtt_url is None else settings.mqtt_url.host


def broker_port(settings: Settings) -> int:
    """The port that goes with `broker_host`."""
    return settings.mqtt_port if settings.mqtt_url is None else settings.mqtt_url.port


def heard_by_cloud(settings: Settings, outbox: SqlOutbox) -> Outbox | None:
    """What waits for the cloud; None without one: then nothing is kept for it either."""
    return None if settings.cloud_url is None else outbox


def device_types(settings: Settings) -> tuple[DeviceType, ...]:
    """What the station knows from the start, and what the settings add."""
    return (*TYPES, *settings.device_types)


def agent_check(keys: StationKeys) -> Callable[[str], bool]:
    """Whether a token is the agent's, compared in constant time."""
    return lambda token: keys.agent_token == Secret(token)


class Container(containers.DeclarativeContainer):
    """What a station is made of; it only constructs, each thing once (decision 6)."""

    settings: providers.Dependency[Settings] = providers.Dependency()
    keys: providers.Dependency[StationKeys] = providers.Dependency()

    clock = providers.Singleton(SystemClock)
    randomness = providers.Singleton(SystemRandomness)

    tables_child = providers.Singleton(TablesChild)
    database = providers.Singleton(open_database, settings.provided.database_url.reveal.call())
    lock = providers.Singleton(store_lock, database)
    outbox = providers.Singleton(SqlOutbox, database)
    device_store = providers.Singleton(SqlDeviceStore, database, randomness, outbox)
    sealer = providers.Singleton(AesGcmSealer, keys.provided.sealing.reveal.call())
    provisioning_store = providers.Singleton(SqlProvisioningStore, database, sealer)
    cloud_store = providers.Singleton(SqlCloudStore, database, sealer, outbox)
    agent_store = providers.Singleton(SqlAgentStore, database)
    audit_store = providers.Singleton(SqlAuditStore, database)
    identity_store = providers.Singleton(SqlIdentityStore, database, outbox)

    broker: providers.Singleton[MosquittoBroker | None] = providers.Singleton(own_broker, settings, keys)
    door: providers.Singleton[BrokerDoor] = providers.Singleton(door, broker)
    link = providers.Singleton(mqtt_link, settings, keys, broker)

    air = providers.Singleton(VirtualAir)
    home = providers.Singleton(
        Home,
        store=device_store,
        identities=identity_store,
        link=link,
        door=door,
        passwords=providers.Singleton(Argon2Passwords),
        tokens=providers.Singleton(JwtAccessTokens, keys.provided.jwt_secret.reveal.call()),
        clock=clock,
        randomness=randomness,
        station_id=keys.provided.station_id,
        types=providers.Singleton(device_types, settings),
        radio=providers.Singleton(radio, settings, air),
        audit_store=audit_store,
        agent_store=agent_store,
        provisioning_store=provisioning_store,
        cloud_store=cloud_store,
        outbox=providers.Singleton(heard_by_cloud, settings, outbox),
        mqtt_host=providers.Singleton(broker_host, settings),
        mqtt_port=providers.Singleton(broker_port, settings),
    )
    cloud: providers.Singleton[CloudLink | None] = providers.Singleton(cloud_link, settings, home)
    inbound = providers.Singleton(Inbound, home)
    hub = providers.Singleton(LiveHub, home)
    traffic = providers.Singleton(Traffic)
    figures = providers.Singleton(
        Exposition,
        home=home,
        inlet=inbound,
        link=link,
        live=hub,
        answers=traffic,
        database=database,
        version=providers.Callable(version, "station"),
    )
    server = providers.Singleton(
        HttpServer,
        providers.Singleton(
            create_app,
            home,
            device_store,
            hub,
            is_agent=providers.Singleton(agent_check, keys),
            traffic=traffic,
            figures=figures,
            draw=providers.Object(svg),
            callers=providers.Singleton(Callers, settings.provided.trusted_proxies),
        ),
        settings.provided.http_host,
        settings.provided.http_port,
    )
    doctor = providers.Singleton(Doctor, settings, database, home)
    bundle = providers.Singleton(
        Bundle, settings=settings, keys=keys, database=database, home=home, doctor=doctor, figures=figures
    )
    desk = providers.Singleton(Desk, home, providers.Dict(doctor=doctor.provided.order, bundle=bundle.provided.order))
    control = providers.Singleton(ControlServer, settings.provided.data_dir, desk.provided.carry_out)
    station = providers.Singleton(
        Station,
        home=home,
        clock=clock,
        server=server,
        control=control,
        hub=hub,
        database=database,
        store_lock=lock,
        upgrade=providers.Singleton(UpgradeApart, settings.provided.database_url.reveal.call(), tables_child),
        link=link,
        inbound=inbound,
        broker=broker,
        cloud=cloud,
    )


@contextmanager
def prepared(settings: Settings, child: TablesChild | None = None) -> Iterator[Container]:
    """
    The parts of a station that holds its data until the end; nothing of it runs yet, unless the *child* does.

    Raise `SettingInvalid` for a folder or a secret that can't be used, `StoreTaken` when another station has it.
    """
    with held(settings):
        container = Container(settings=settings, keys=prepare(settings, settings.data_dir))
        if child is not None:
            container.tables_child.override(providers.Object(child))
        yield container
