from __future__ import annotations

import pytest

from station_core.errors import Malformed
from station_core.pages import number_in


def test_a_cursor_is_the_number_of_the_last_that_was_shown() -> None:
    assert number_in("17") == 17
    assert number_in("9" * 18) == 10**18 - 1


@pytest.mark.parametrize("cursor", ["", "-1", "+1", " 1", "x", "1.5", "٣", "9" * 19])
def test_anything_else_is_malformed(cursor: str) -> None:
    with pytest.raises(Malformed):
        number_in(cursor)
