from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.ble.advert import ADDRESSES, PARTS, Advertisement, Heard, sighting
from station_core.provisioning.model import Known
from station_core.values import external_id, tag

SERVICE = "12c158d5-220f-4be9-b46a-a235f44c412a"
OTHER = "0000fea5-0000-1000-8000-00805f9b34fb"
ADDRESS = "F0:F1:F2:F3:F4:F5"
BY_ADDRESS = ("unknown", "f0f1f2f3f4f5", Known.ADDRESS)


def told(
    *, name: str | None = None, data: bytes | None = None, listed: bool = True, address: str = ADDRESS
) -> Advertisement:
    return Advertisement(
        address=address,
        rssi=-60,
        name=name,
        service_uuids=(SERVICE,) if listed else (),
        service_data={} if data is None else {SERVICE: data},
    )


@pytest.mark.parametrize(
    ("advertisement", "identity"),
    [
        (told(data=b"pir:a1b2c3"), ("pir", "a1b2c3", Known.SERVICE_DATA)),
        (told(data=b"pir:a1b2c3", listed=False), ("pir", "a1b2c3", Known.SERVICE_DATA)),
        (told(data=b"switch-pir:a:b", name="SH_pir_1"), ("switch-pir", "a:b", Known.SERVICE_DATA)),
        (told(name="SH_pir_1"), ("pir", "1", Known.NAME)),
        (told(name="SH_light_kitchen_2"), ("light", "kitchen_2", Known.NAME)),
        (told(name="SH_pir_1", data=b""), ("pir", "1", Known.NAME)),
        (told(name="SH_pir_1", data=b"pir"), ("pir", "1", Known.NAME)),
        (told(name="SH_pir_1", data=b"pir:"), ("pir", "1", Known.NAME)),
        (told(name="SH_pir_1", data=b":a1"), ("pir", "1", Known.NAME)),
        (told(name="SH_pir_1", data=b"p\xefr:a1"), ("pir", "1", Known.NAME)),
        (told(name="SH_pir"), BY_ADDRESS),
        (told(name="SH_pir_"), BY_ADDRESS),
        (told(name="SH__1"), BY_ADDRESS),
        (told(name="sh_pir_1"), BY_ADDRESS),
        (told(name="SH-ESP-A1B2C3"), BY_ADDRESS),
        (told(), BY_ADDRESS),
        (told(data=b"\x01\x02\xff", listed=False), BY_ADDRESS),
        (told(address="6F1C9A3E-0000-4000-8000-0123456789AB"), ("unknown", "6f1c9a3e0000400080000123456789ab", 0)),
    ],
)
def test_the_first_that_names_a_type_and_an_id_identifies(
    advertisement: Advertisement, identity: tuple[str, str, Known]
) -> None:
    found = sighting(advertisement, SERVICE)

    assert found is not None
    assert (found.device_type, found.external_id, found.known_by) == identity
    assert (found.address, found.rssi) == (advertisement.address, -60)


@pytest.mark.parametrize("forbidden", ["+", "#", "a/b", "$SYS", "-a", "a b", "a\0", "x" * 65])
def test_an_id_that_could_act_as_a_topic_filter_is_no_candidate_and_nothing_weaker_is_tried(forbidden: str) -> None:
    assert sighting(told(data=b"pir:" + forbidden.encode(), name="SH_pir_1"), SERVICE) is None
    assert sighting(told(name=f"SH_pir_{forbidden}"), SERVICE) is None


@pytest.mark.parametrize("forbidden", ["+", "a.b", "a/b", "x" * 65])
def test_nor_is_a_forbidden_type(forbidden: str) -> None:
    assert sighting(told(data=f"{forbidden}:a1".encode()), SERVICE) is None
    assert sighting(told(name=f"SH_{forbidden}_1"), SERVICE) is None


@pytest.mark.parametrize("name", ["SH_pir_1", "SH-ESP-A1B2C3", None])
def test_without_the_service_nothing_is_a_candidate(name: str | None) -> None:
    stranger = Advertisement(
        address=ADDRESS, rssi=-60, name=name, service_uuids=(OTHER,), service_data={OTHER: b"pir:a1"}
    )

    assert sighting(stranger, SERVICE) is None


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("SH_pir_1", "SH_pir_1"),
        (" SH-ESP-1 ", "SH-ESP-1"),
        ("Küche", "Küche"),
        ("", None),
        ("  ", None),
        ("SH-\ufffd", None),
        ("SH-\0", None),
        ("SH-\n", "SH-"),
        ("S\nH", None),
    ],
)
def test_a_name_that_is_no_clean_text_is_none(name: str, spoken: str | None) -> None:
    found = sighting(told(name=name), SERVICE)

    assert found is not None
    assert found.name == spoken


def test_a_name_that_comes_in_a_later_packet_completes_what_was_heard() -> None:
    heard = Heard()
    first = sighting(heard.merged(told()), SERVICE)
    later = sighting(heard.merged(told(name="SH_pir_1", listed=False)), SERVICE)
    again = sighting(heard.merged(told(data=b"pir:a1")), SERVICE)

    assert [found and found.external_id for found in (first, later, again)] == ["f0f1f2f3f4f5", "1", "a1"]
    assert again is not None
    assert again.name == "SH_pir_1"


def test_what_is_heard_of_one_address_says_nothing_of_another() -> None:
    heard = Heard()
    heard.merged(told())
    stranger = heard.merged(told(name="SH_pir_1", listed=False, address="F0:F1:F2:F3:F4:F6"))

    assert sighting(stranger, SERVICE) is None


def test_what_is_remembered_is_bounded() -> None:
    heard = Heard()
    heard.merged(told())
    for number in range(ADDRESSES):
        heard.merged(told(address=str(number), listed=False))
    last = told()
    for number in range(PARTS * 2):
        last = heard.merged(
            Advertisement(address="0", rssi=0, service_uuids=(str(number),), service_data={str(number): b""})
        )

    assert not heard.merged(told(listed=False)).carries(SERVICE)
    assert (len(last.service_uuids), len(last.service_data)) == (PARTS, PARTS)
    assert last.carries(str(PARTS * 2 - 1))


@given(
    address=st.text(max_size=40),
    name=st.none() | st.text() | st.builds("SH_{}".format, st.text()),
    listed=st.booleans(),
    data=st.none() | st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
)
def test_whatever_comes_by_radio_it_never_raises_and_what_it_tells_is_allowed(
    address: str, name: str | None, data: bytes | None, *, listed: bool
) -> None:
    found = sighting(Heard().merged(told(name=name, data=data, listed=listed, address=address)), SERVICE)

    if found is not None:
        assert external_id(found.external_id) == found.external_id
        assert tag(found.device_type) == found.device_type
