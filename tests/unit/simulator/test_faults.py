from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from station_adapters.mqtt.payloads import State, read_event, read_handshake, read_heartbeat, read_state
from station_adapters.mqtt.topics import Suffix, parse
from station_app.simulator.faults import Fault, FaultScript
from station_core.errors import Malformed
from station_core.values import value_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

READERS: Final[Mapping[Suffix, Callable[[bytes], Any]]] = {
    Suffix.STATE: read_state,
    Suffix.EVENT: read_event,
    Suffix.HEARTBEAT: read_heartbeat,
    Suffix.HANDSHAKE: read_handshake,
}


def script(*kinds: Fault, seed: int = 1, per_minute: float = 6.0) -> FaultScript:
    script = FaultScript(kinds or tuple(Fault), per_minute=per_minute, seed=seed, external_id="lamp-1")
    script.begin(100.0)
    return script


def played(script: FaultScript, until: float) -> list[tuple[float, Fault]]:
    """All faults of a device that can do each at once."""
    done = []
    while (now := script.due_at) <= until:
        fault = script.due(now)
        assert fault is not None
        done.append((now, fault))
    return done


def test_the_same_seed_is_the_same_script_and_another_is_another() -> None:
    first, again, other = (played(script(seed=seed), 1_000.0) for seed in (1, 1, 2))

    assert first == again != other


def test_each_device_has_a_script_of_its_own() -> None:
    other = FaultScript(tuple(Fault), per_minute=6.0, seed=1, external_id="lamp-2")
    other.begin(100.0)

    assert played(script(), 1_000.0) != played(other, 1_000.0)


def test_faults_come_as_often_as_they_should_and_of_every_kind() -> None:
    faults = played(script(), 100.0 + 3_600.0)

    assert 300 < len(faults) < 420  # 6 a minute are 360 an hour
    assert {fault for _, fault in faults} == set(Fault)


def test_only_the_kinds_that_were_asked_for_come() -> None:
    faults = played(script(Fault.DROP, Fault.RUBBISH), 2_000.0)

    assert {fault for _, fault in faults} == {Fault.DROP, Fault.RUBBISH}


def test_nothing_comes_before_its_time_or_twice() -> None:
    faults = script()
    at = faults.due_at

    assert faults.due(at - 0.001) is None
    assert faults.due(at) is not None
    assert faults.due_at > at


def test_a_fault_that_had_to_wait_comes_once_and_the_next_is_counted_from_then() -> None:
    faults = script()
    late = faults.due_at + 500.0

    assert faults.due(late) is not None
    assert faults.due_at > late


def test_to_begin_again_changes_nothing() -> None:
    faults = script()
    at = faults.due_at
    faults.begin(700.0)

    assert faults.due_at == at


@pytest.mark.parametrize("faults", [FaultScript([], per_minute=6.0, seed=1, external_id="lamp-1")])
def test_without_kinds_there_are_no_faults(faults: FaultScript) -> None:
    faults.begin(0.0)

    assert played(faults, 10_000.0) == []


@pytest.mark.parametrize("seed", range(200))
def test_rubbish_is_never_what_a_device_may_say(seed: int) -> None:
    message = script(seed=seed).rubbish("S1", "lamp-1", 1)

    assert message.topic is not None
    assert not {"+", "#"} & set(message.topic)  # the broker would end the connection, and nobody would see the rubbish
    with pytest.raises(Malformed):
        heard(message.topic, message.payload)


def heard(topic: str, payload: bytes) -> None:
    """As the station does it."""
    content = READERS[parse(topic.encode()).suffix](payload)
    if isinstance(content, State):
        value_weight(content.state)
