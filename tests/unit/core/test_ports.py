"""The memory adapters are what the core's ports ask for; the annotations are mypy's to check."""

from __future__ import annotations

import inspect

import pytest

from station_adapters.memory.home import MemoryPorts
from station_core.agent.ports import AgentStore
from station_core.audit.ports import AuditStore
from station_core.clock import Clock, Randomness
from station_core.cloud.ports import CloudStore, Outbox
from station_core.devices.ports import BrokerDoor, DeviceLink, DeviceStore
from station_core.identity.ports import AccessTokens, IdentityStore, PasswordHasher
from station_core.provisioning.ports import BleTransport, ProvisioningStore

PORTS = MemoryPorts()
CLOCK: Clock = PORTS.clock
RANDOMNESS: Randomness = PORTS.randomness
STORE: DeviceStore = PORTS.store
LINK: DeviceLink = PORTS.link
DOOR: BrokerDoor = PORTS.door
IDENTITIES: IdentityStore = PORTS.identities
PASSWORDS: PasswordHasher = PORTS.passwords
TOKENS: AccessTokens = PORTS.tokens
RADIO: BleTransport = PORTS.radio
PROVISIONING: ProvisioningStore = PORTS.provisioning
CLOUD: CloudStore = PORTS.cloud
AUDIT: AuditStore = PORTS.audit
OUTBOX: Outbox = PORTS.outbox
AGENT: AgentStore = PORTS.agent

ADAPTERS = [
    (Clock, CLOCK),
    (Randomness, RANDOMNESS),
    (DeviceStore, STORE),
    (DeviceLink, LINK),
    (BrokerDoor, DOOR),
    (IdentityStore, IDENTITIES),
    (PasswordHasher, PASSWORDS),
    (AccessTokens, TOKENS),
    (BleTransport, RADIO),
    (ProvisioningStore, PROVISIONING),
    (CloudStore, CLOUD),
    (AuditStore, AUDIT),
    (Outbox, OUTBOX),
    (AgentStore, AGENT),
]


def parameters(method: object) -> list[tuple[str, object, object]]:
    assert callable(method)
    return [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]


@pytest.mark.parametrize(("port", "adapter"), ADAPTERS, ids=[port.__name__ for port, _ in ADAPTERS])
def test_a_memory_adapter_has_its_ports_methods_under_the_same_parameters(port: type, adapter: object) -> None:
    promised = {name: method for name, method in inspect.getmembers(port, inspect.isfunction) if name[0] != "_"}

    assert promised
    for name, method in promised.items():
        kept = getattr(type(adapter), name)
        assert inspect.iscoroutinefunction(kept) is inspect.iscoroutinefunction(method)
        assert parameters(kept) == parameters(method)


def test_every_port_has_its_memory_adapter() -> None:
    assert {id(adapter) for _, adapter in ADAPTERS} == {id(adapter) for adapter in vars(PORTS).values()}
