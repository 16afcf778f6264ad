"""A device of the household that was reset is brought home again under its next token (docs/protocols.md §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import settled
from station_core.audit.model import SYSTEM, Action, RecordFilter
from station_core.errors import (
    BrokerUnavailable,
    Conflict,
    DeviceUnknown,
    ExternalIdTaken,
    ProvisioningBusy,
    StoreUnavailable,
)
from station_core.provisioning.errors import ConnectFailed, LinkLost, WriteRefused
from station_core.provisioning.model import Step
from station_core.provisioning.saga import HANDSHAKE_WITHIN, RETRY_AFTER
from tests.unit.core.lamp import LAMP, Lamp, in_sight

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.errors import StationError
    from station_core.home import Home


@pytest.fixture
async def lamp(home: Home, ports: MemoryPorts) -> Lamp:
    """A lamp that was reset: it's offline, and in radio range."""
    await in_sight(home, ports)
    device, token = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
    return Lamp(home, ports, device, token)


async def test_it_stays_what_it_is_and_bears_its_next_token_alone_after_its_handshake(lamp: Lamp) -> None:
    attempt = await lamp.begun()
    assert lamp.outcome(attempt) == (Step.WAITING, None)
    assert attempt.device_id == lamp.device.id
    assert lamp.is_let_in(lamp.former)
    assert lamp.is_let_in(lamp.written)
    assert lamp.enters(lamp.written)
    await lamp.speaks()

    assert lamp.outcome(attempt) == (Step.DONE, None)
    recorded = [record.deed.action for record in (await lamp.ports.audit.records()).items]
    assert sorted(recorded) == ["credentials_renew", "device_add", "provisioning_begin", "provisioning_end"]
    assert lamp.is_let_in(lamp.written)
    assert lamp.enters(lamp.written)
    assert not lamp.is_let_in(lamp.former)
    [device] = lamp.home.household.devices()
    assert (device.id, device.name, device.zone_id) == (lamp.device.id, lamp.device.name, lamp.device.zone_id)


async def test_until_the_write_the_broker_keeps_the_former_password_and_http_takes_both(lamp: Lamp) -> None:
    token = await lamp.home.succession.begin(lamp.device.id)

    assert lamp.enters(lamp.former)
    assert lamp.is_let_in(lamp.former)
    assert lamp.is_let_in(token)


@pytest.mark.parametrize("refusal", [ConnectFailed(), WriteRefused(), LinkLost()], ids=lambda error: str(error.code))
async def test_a_write_that_fails_changes_nothing(lamp: Lamp, ports: MemoryPorts, refusal: StationError) -> None:
    ports.radio.refusals["AA"] = refusal
    attempt = await lamp.begun()

    assert lamp.outcome(attempt) == (Step.FAILED, refusal.code)
    assert lamp.is_where_it_was()


async def test_one_that_is_not_in_sight_or_for_which_there_is_no_wifi_is_where_it_was(
    lamp: Lamp, ports: MemoryPorts
) -> None:
    ports.provisioning._wifi = None
    attempt = await lamp.begun()

    assert lamp.outcome(attempt) == (Step.FAILED, "wifi_not_configured")
    assert lamp.is_where_it_was()


async def test_a_cancelled_one_is_where_it_was(lamp: Lamp) -> None:
    lamp.home.lookout.candidates.clear()
    attempt = await lamp.begun()
    lamp.home.provisioning.cancel(attempt.id)
    await settled()

    assert lamp.outcome(attempt) == (Step.CANCELLED, None)
    assert lamp.is_where_it_was()


async def test_what_was_written_is_never_taken_back_by_a_cancellation(lamp: Lamp) -> None:
    attempt = await lamp.begun()
    lamp.home.provisioning.cancel(attempt.id)
    await settled()
    assert lamp.outcome(attempt) == (Step.CANCELLED, None)
    assert lamp.enters(lamp.written)
    assert lamp.is_let_in(lamp.former)
    await lamp.speaks()

    assert not lamp.is_let_in(lamp.former)


async def test_one_that_joins_late_is_taken_in_all_the_same(lamp: Lamp, ports: MemoryPorts) -> None:
    attempt = await lamp.begun()
    await ports.clock.advance(HANDSHAKE_WITHIN)
    assert lamp.outcome(attempt) == (Step.FAILED, "no_handshake")
    assert lamp.is_let_in(lamp.former)
    assert lamp.enters(lamp.written)
    await lamp.speaks()

    assert not lamp.is_let_in(lamp.former)
    assert lamp.is_let_in(lamp.written)
    assert lamp.home.keyring.successors() == []


async def test_what_was_written_and_never_proven_is_the_present_one_of_the_next_attempt(
    lamp: Lamp, ports: MemoryPorts
) -> None:
    await lamp.begun()
    await ports.clock.advance(HANDSHAKE_WITHIN)
    unproven = lamp.written
    ports.radio.advertise(LAMP)
    ports.radio.refusals["AA"] = WriteRefused()
    await lamp.begun()

    assert lamp.enters(unproven)
    assert lamp.is_let_in(unproven)
    assert not lamp.is_let_in(lamp.former)


async def test_one_that_is_online_is_provisioned_again_by_choice_alone(lamp: Lamp) -> None:
    await lamp.speaks()
    with pytest.raises(ExternalIdTaken):
        await lamp.begun()
    attempt = await lamp.begun(again=True)

    assert lamp.outcome(attempt)[0] is Step.WAITING


async def test_a_handshake_from_before_the_write_proves_nothing(lamp: Lamp) -> None:
    lamp.home.lookout.candidates.clear()
    attempt = await lamp.begun()
    await lamp.speaks()
    lamp.ports.radio.advertise(LAMP)
    await settled()

    assert lamp.outcome(attempt)[0] is Step.WAITING
    assert lamp.is_let_in(lamp.former)


async def test_one_that_was_revoked_is_brought_home_again(lamp: Lamp) -> None:
    await lamp.home.household.revoke(lamp.device.id)
    attempt = await lamp.begun()
    assert lamp.enters(lamp.written)
    with pytest.raises(Conflict):
        await lamp.home.household.renew(lamp.device.id)
    await lamp.speaks()

    assert lamp.outcome(attempt)[0] is Step.DONE
    assert lamp.is_let_in(lamp.written)


async def test_one_that_is_revoked_meanwhile_has_no_token_at_all(lamp: Lamp, ports: MemoryPorts) -> None:
    attempt = await lamp.begun()
    await lamp.home.household.revoke(lamp.device.id)
    await lamp.speaks()
    await ports.clock.advance(HANDSHAKE_WITHIN)

    assert lamp.outcome(attempt)[0].final
    assert not lamp.is_let_in(lamp.former)
    assert not lamp.is_let_in(lamp.written)
    assert ports.door.admitted == {}
    with pytest.raises(Conflict):
        await lamp.home.succession.written(lamp.device.id)


async def test_one_that_is_removed_meanwhile_is_gone(lamp: Lamp, ports: MemoryPorts) -> None:
    attempt = await lamp.begun()
    await lamp.home.household.remove(lamp.device.id)
    await settled()
    await lamp.home.succession.proven(lamp.device.id)

    assert lamp.outcome(attempt) == (Step.FAILED, "no_handshake")
    assert ports.door.admitted == {}
    with pytest.raises(DeviceUnknown):
        await lamp.home.succession.begin(lamp.device.id)


async def test_while_the_store_is_away_nothing_of_what_was_written_is_lost(lamp: Lamp, ports: MemoryPorts) -> None:
    write = ports.radio.write

    async def and_then_the_store_goes(*args: object, **more: object) -> None:
        await write(*args, **more)  # type: ignore[arg-type]  # as it was called
        ports.store.trouble = StoreUnavailable()

    ports.radio.write = and_then_the_store_goes  # type: ignore[method-assign]  # for the moment between both
    attempt = await lamp.begun()
    assert lamp.outcome(attempt)[0] is Step.WRITTEN
    lamp.home.provisioning.cancel(attempt.id)
    await settled()
    ports.store.trouble = None
    await ports.clock.advance(RETRY_AFTER)

    assert lamp.outcome(attempt)[0] is Step.CANCELLED
    assert lamp.enters(lamp.written)


async def test_a_broker_that_is_away_learns_of_it_later(lamp: Lamp, ports: MemoryPorts) -> None:
    ports.door.trouble = BrokerUnavailable()
    attempt = await lamp.begun()
    assert lamp.outcome(attempt)[0] is Step.WAITING
    ports.door.trouble = None
    await lamp.home.keyring.open_door()

    assert lamp.enters(lamp.written)


async def test_after_a_power_cut_before_the_broker_knew_the_next_token_is_tried_out(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        device, former = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        token = await home.succession.begin(device.id)
    async with ports.running() as home:
        await in_sight(home, ports)
        lamp = Lamp(home, ports, device, former)
        with pytest.raises(ProvisioningBusy):
            await lamp.begun()
        assert lamp.enters(token)
        assert lamp.is_let_in(token)
        assert lamp.is_let_in(former)
        await ports.clock.advance(HANDSHAKE_WITHIN)

        assert lamp.is_where_it_was()
    async with ports.running() as home:
        assert home.keyring.successors() == []


async def test_after_a_power_cut_one_that_has_the_next_token_joins_with_it(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        device, former = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        token = await home.succession.begin(device.id)
    async with ports.running() as home:
        lamp = Lamp(home, ports, device, former)
        await lamp.speaks()

        assert (lamp.is_let_in(token), lamp.is_let_in(former)) == (True, False)
        assert lamp.enters(token)
        [renewed] = (await ports.audit.records(RecordFilter(actions=frozenset({Action.CREDENTIALS_RENEW})))).items
        assert (renewed.deed.actor, renewed.deed.subject.id) == (SYSTEM, device.id)
    async with ports.running() as home:
        assert Lamp(home, ports, device, former).is_let_in(token)
        assert home.keyring.successors() == []


async def test_after_a_power_cut_while_it_is_waited_for_it_joins_whenever_it_comes(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        device, former = await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        token = await home.succession.begin(device.id)
        await home.succession.written(device.id)
    async with ports.running() as home:
        lamp = Lamp(home, ports, device, former)
        await ports.clock.advance(10 * HANDSHAKE_WITHIN)
        assert lamp.enters(token)
        assert lamp.is_let_in(former)
        await lamp.speaks()

        assert (lamp.is_let_in(token), lamp.is_let_in(former)) == (True, False)


async def test_what_was_tried_out_in_vain_takes_no_other_along(lamp: Lamp) -> None:
    await lamp.home.succession.begin(lamp.device.id)
    tried = await lamp.home.succession.try_out(lamp.device.id)
    other = await lamp.home.succession.begin(lamp.device.id)
    await lamp.home.succession.withdraw(lamp.device.id, tried=tried)

    assert lamp.is_let_in(other)


async def test_there_is_nothing_to_try_out_or_to_prove_of_one_that_stays_with_what_it_has(lamp: Lamp) -> None:
    await lamp.home.succession.try_out(lamp.device.id)
    await lamp.home.succession.withdraw(lamp.device.id)
    await lamp.home.succession.begin(lamp.device.id)
    await lamp.home.succession.proven(lamp.device.id)

    assert lamp.is_let_in(lamp.former)
    assert lamp.enters(lamp.former)
