from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from station_core.agent.forgetful import Forgetful
from station_core.agent.restarts import Restarts
from station_core.audit.model import KEPT_FOR as RECORDS_KEPT_FOR
from station_core.audit.service import Audit
from station_core.audit.unrecorded import Unrecorded
from station_core.cloud.channels import Channels
from station_core.cloud.claim import Claim
from station_core.cloud.nowhere import NoCloud, NoOutbox
from station_core.cloud.outbox import OutboxBounds
from station_core.cloud.reset import StationReset
from station_core.cloud.status import CloudBoard
from station_core.devices.activity import KEPT_FOR as ACTIVITIES_KEPT_FOR
from station_core.devices.commands import CommandService
from station_core.devices.credentials import Keyring
from station_core.devices.doubts import Doubts
from station_core.devices.household import Household
from station_core.devices.presence import Presence
from station_core.devices.registry import Registry
from station_core.devices.service import DeviceService
from station_core.devices.strangers import Strangers
from station_core.devices.succession import Succession
from station_core.devices.types import TYPES
from station_core.devices.watch import CommandWatch
from station_core.devices.zones import Zones
from station_core.events import EventBus
from station_core.forgetting import Forgetting, Perishable
from station_core.health import STORE, Health
from station_core.identity.access import AccessService
from station_core.identity.accounts import Accounts
from station_core.identity.attempts import Attempts
from station_core.identity.authority import Authority
from station_core.identity.invites import Invites
from station_core.identity.newcomers import Newcomers
from station_core.identity.residents import Residents
from station_core.identity.sessions import Sessions
from station_core.identity.sync import IdentitySync
from station_core.journal import Journal
from station_core.provisioning.lookout import Lookout
from station_core.provisioning.model import Whereabouts
from station_core.provisioning.network import Network
from station_core.provisioning.nowhere import NoRadio, Nowhere
from station_core.provisioning.saga import Saga
from station_core.provisioning.service import Provisioning

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from station_core.agent.ports import AgentStore
    from station_core.audit.ports import AuditStore
    from station_core.clock import Clock, Randomness
    from station_core.cloud.ports import CloudStore, Outbox
    from station_core.devices.ports import BrokerDoor, DeviceChange, DeviceLink, DeviceStore
    from station_core.devices.types import DeviceType
    from station_core.errors import StationError
    from station_core.identity.ports import AccessTokens, IdentityStore, PasswordHasher
    from station_core.provisioning.ports import BleTransport, ProvisioningStore


class Home:
    """
    The core, assembled over its ports: what an embedder builds, and what the app's container builds.

    `load` first; then `run`, or its `workers` under a supervisor; when `reset.leaving` is set, the program is to end.
    Without an *audit_store* nothing is recorded of who did what, without an *agent_store* no restart is remembered.
    Without a *radio* it looks for no new devices; *mqtt_host* and *mqtt_port* are what they are told of the broker.
    Without a *cloud_store* no cloud can claim it; without an *outbox*, the one that the device store fills, none hears
    of anything.
    """

    def __init__(
        self,
        *,
        store: DeviceStore,
        identities: IdentityStore,
        link: DeviceLink,
        door: BrokerDoor,
        passwords: PasswordHasher,
        tokens: AccessTokens,
        clock: Clock,
        randomness: Randomness,
        station_id: str,
        types: Sequence[DeviceType] = TYPES,
        audit_store: AuditStore | None = None,
        provisioning_store: ProvisioningStore | None = None,
        agent_store: AgentStore | None = None,
        cloud_store: CloudStore | None = None,
        outbox: Outbox | None = None,
        radio: BleTransport | None = None,
        mqtt_host: str = "localhost",
        mqtt_port: int = 1883,
    ) -> None:
        self._types = types
        self.clock = clock
        self.bus = EventBus()
        self.health = Health(self.bus, clock)
        self.registry = Registry()
        self.keyring = Keyring(door, randomness)
        self.journal: Journal[DeviceChange] = Journal(
            store,
            clock,
            on_kept=self._kept,
            on_refused=self._refused,
            on_trouble=self._store_is,
        )
        self.strangers = Strangers(
            store=store, registry=self.registry, keyring=self.keyring, link=link, bus=self.bus, clock=clock
        )
        self.devices = DeviceService(
            registry=self.registry,
            journal=self.journal,
            bus=self.bus,
            clock=clock,
            link=link,
            strangers=self.strangers,
            types=types,
        )
        self.presence = Presence(registry=self.registry, devices=self.devices, journal=self.journal, clock=clock)
        self.commands = CommandService(
            registry=self.registry,
            devices=self.devices,
            presence=self.presence,
            link=link,
            journal=self.journal,
            clock=clock,
            randomness=randomness,
            station_id=station_id,
        )
        self.watch = CommandWatch(
            commands=self.commands, registry=self.registry, devices=self.devices, bus=self.bus, clock=clock
        )
        self.household = Household(
            store=store,
            registry=self.registry,
            keyring=self.keyring,
            strangers=self.strangers,
            devices=self.devices,
            link=link,
            journal=self.journal,
            bus=self.bus,
            clock=clock,
            randomness=randomness,
            station_id=station_id,
        )
        self.succession = Succession(store=store, registry=self.registry, keyring=self.keyring, clock=clock)
        self.zones = Zones(store=store, registry=self.registry, bus=self.bus, clock=clock, randomness=randomness)
        self.doubts = Doubts(
            store=store,
            registry=self.registry,
            keyring=self.keyring,
            household=self.household,
            zones=self.zones,
            bus=self.bus,
            clock=clock,
        )
        self.audit_store = Unrecorded() if audit_store is None else audit_store
        self.audit = Audit(store=self.audit_store, clock=clock)
        self.forgetting = Forgetting(
            perishables=[
                Perishable(
                    name="activities",
                    kept_for=ACTIVITIES_KEPT_FOR,
                    forget=lambda before, limit: store.forget_activities(before=before, limit=limit),
                ),
                Perishable(
                    name="audit",
                    kept_for=RECORDS_KEPT_FOR,
                    forget=lambda before, limit: self.audit_store.forget_records(before=before, limit=limit),
                ),
            ],
            clock=clock,
        )
        self.lookout = Lookout(radio=radio, holds=self.registry.holds, bus=self.bus, health=self.health, clock=clock)
        self.provisioning_store = Nowhere() if provisioning_store is None else provisioning_store
        self.network = Network(store=self.provisioning_store, clock=clock)
        self.provisioning = Provisioning(
            saga=Saga(
                radio=NoRadio() if radio is None else radio,
                store=self.provisioning_store,
                lookout=self.lookout,
                household=self.household,
                succession=self.succession,
                bus=self.bus,
                clock=clock,
                whereabouts=Whereabouts(mqtt_host=mqtt_host, mqtt_port=mqtt_port, station_id=station_id),
            ),
            store=self.provisioning_store,
            registry=self.registry,
            audit=self.audit,
            succession=self.succession,
            bus=self.bus,
            clock=clock,
            randomness=randomness,
            on=radio is not None,
        )
        self.restarts = Restarts(
            store=Forgetful() if agent_store is None else agent_store, clock=clock, randomness=randomness
        )
        self.residents = Residents(store=identities, bus=self.bus, clock=clock)
        newcomers = Newcomers(passwords=passwords, clock=clock, randomness=randomness)
        self.access = AccessService(
            store=identities,
            residents=self.residents,
            newcomers=newcomers,
            passwords=passwords,
            tokens=tokens,
            attempts=Attempts(clock),
            audit=self.audit,
            clock=clock,
            randomness=randomness,
        )
        self.sessions = Sessions(
            store=identities,
            residents=self.residents,
            access=self.access,
            passwords=passwords,
            audit=self.audit,
            clock=clock,
        )
        authority = Authority(residents=self.residents, audit=self.audit)
        self.accounts = Accounts(
            store=identities,
            residents=self.residents,
            access=self.access,
            newcomers=newcomers,
            passwords=passwords,
            authority=authority,
            clock=clock,
        )
        self.invites = Invites(
            store=identities, residents=self.residents, authority=authority, clock=clock, randomness=randomness
        )
        self.identity_sync = IdentitySync(store=identities, residents=self.residents, randomness=randomness)
        self.claim = Claim(
            store=NoCloud() if cloud_store is None else cloud_store,
            clock=clock,
            randomness=randomness,
            station_id=station_id,
        )
        self.outbox: Outbox = NoOutbox() if outbox is None else outbox
        self.cloud = CloudBoard(claim=self.claim, outbox=self.outbox, clock=clock)
        self.channels = Channels(self.outbox)
        self.outbox_bounds = OutboxBounds(outbox=self.outbox, board=self.cloud, clock=clock)
        self.reset = StationReset(
            claim=self.claim,
            registry=self.registry,
            link=link,
            clock=clock,
            randomness=randomness,
            station_id=station_id,
        )

    @property
    def workers(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs until it's cancelled, by name, in the order of beginning; each ends before those that it needs."""
        return {
            "journal": self.journal.run,
            "audit": self.audit.run,
            "residents": self.residents.run,
            "strangers": self.strangers.run,
            "doubts": self.doubts.run,
            "presence": self.presence.run,
            "forgetting": self.forgetting.run,
            "lookout": self.lookout.run,
            "restarts": self.restarts.run,
            "provisioning": self.provisioning.run,
            "outbox bounds": self.outbox_bounds.run,
            "reset": self.reset.run,
        }

    async def load(self) -> None:
        """Take what the store holds into memory; raise what the store raises."""
        await self.household.load(self._types)
        await self.zones.load()
        await self.residents.load()
        await self.restarts.load()
        await self.claim.load()
        await self.outbox.load()
        self._store_is(None)

    async def run(self) -> None:
        """Keep, look up and watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for run in self.workers.values():
                group.create_task(run())

    def _kept(self, changes: Sequence[DeviceChange]) -> None:
        self.devices.kept(changes)  # journal and service know each other; one of them has to come first

    def _refused(self, change: DeviceChange) -> None:
        self.devices.refused(change)

    def _store_is(self, trouble: StationError | None) -> None:
        # By a name of its own: whoever holds the store's lock tells of that, and neither is all.
        self.health.tell(STORE, up=trouble is None, detail="" if trouble is None else str(trouble), by="journal")
