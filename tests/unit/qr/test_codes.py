from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from station_adapters.qr.codes import QUIET, blocks, svg

TEXT = '{"chipId":"0123456789abcdef","claimSecret":"' + "f" * 32 + '"}'
LONGEST = '{"chipId":"' + "x" * 64 + '","claimSecret":"' + "f" * 32 + '"}'


@pytest.mark.parametrize("text", [TEXT, LONGEST])
def test_a_picture_is_one_svg_document_that_holds_no_script_and_loads_nothing(text: str) -> None:
    picture = svg(text)
    root = ET.fromstring(picture)

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {child.tag.rpartition("}")[2] for child in root.iter()} <= {"svg", "path", "g"}
    assert "href" not in picture


def test_blocks_are_a_square_with_a_quiet_zone() -> None:
    lines = blocks(TEXT).splitlines()

    assert {len(line) for line in lines} == {len(lines[0])}
    assert abs(len(lines) * 2 - len(lines[0])) <= 1
    assert set(lines[0]) == {"█"}
    assert {line[:QUIET] for line in lines[:-1]} == {"█" * QUIET}


def test_two_texts_are_two_codes() -> None:
    assert svg(TEXT) != svg(LONGEST)
    assert blocks(TEXT) != blocks(LONGEST)
