from __future__ import annotations

from random import Random

import pytest

from station_app.simulator.models import MODELS, model_of
from station_core.devices.types import TYPES
from station_core.errors import SettingInvalid
from station_core.values import object_weight


def test_every_type_that_the_station_knows_can_be_simulated() -> None:
    assert {kind.id for kind in TYPES} <= set(MODELS)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.id)
def test_a_model_has_the_capabilities_and_commands_that_the_station_expects(kind: object) -> None:
    known = next(one for one in TYPES if one is kind)
    model = model_of(known.id)

    assert set(model.state) == {capability.key for capability in known.capabilities}
    assert set(model.commands) == {command.action for command in known.commands}


@pytest.mark.parametrize("kind", MODELS)
def test_whatever_goes_on_stays_within_what_a_wire_may_carry(kind: str) -> None:
    model, chance = model_of(kind), Random(1)
    state = dict(model.state)
    for _ in range(5_000):
        for strand in model.strands:
            moment = strand.live(state, chance)
            state.update(moment.changes)
            object_weight(state)

            assert moment.rest > 0
            assert set(state) == set(model.state)


def test_a_type_that_nobody_simulates_is_told_with_those_there_are() -> None:
    with pytest.raises(SettingInvalid, match="climate, pir, switch-pir, light"):
        model_of("toaster")
