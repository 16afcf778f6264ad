from __future__ import annotations

from station_core.measures import Distribution


def test_a_value_counts_under_the_first_bound_that_holds_it() -> None:
    spread = Distribution([1, 5])
    for value in (0, 1, 1.5, 5, 5.1, 100):
        spread.observe(value)

    assert spread.counts == [2, 2, 2]
    assert spread.total == 112.6
