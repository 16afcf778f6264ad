"""What is relied on below the surface of bleak; a new version that changes it must fail here first."""

from __future__ import annotations

import inspect

from bleak import BleakClient, BleakScanner, exc
from bleak.backends.bluezdbus import manager
from bleak.backends.bluezdbus.client import BleakClientBlueZDBus
from bleak.backends.scanner import AdvertisementData


def test_backends_are_given_by_a_public_argument() -> None:
    assert inspect.signature(BleakScanner.__init__).parameters["backend"].default is None
    assert inspect.signature(BleakClient.__init__).parameters["backend"].default is None


def test_an_advertisement_has_the_fields_that_are_read() -> None:
    assert {"local_name", "rssi", "service_uuids", "service_data"} <= set(AdvertisementData._fields)


def test_errors_are_kinds_of_one_and_a_timeout_is_a_system_error() -> None:
    kinds = (
        exc.BleakBluetoothNotAvailableError,
        exc.BleakCharacteristicNotFoundError,
        exc.BleakDBusError,
        exc.BleakDeviceNotFoundError,
        exc.BleakGATTProtocolError,
    )

    assert all(issubclass(kind, exc.BleakError) for kind in kinds)
    assert not issubclass(exc.BleakError, OSError)
    assert issubclass(TimeoutError, OSError)
    assert exc.BleakDBusError("org.bluez.Error.Failed", ["words"]).dbus_error == "org.bluez.Error.Failed"


def test_a_device_that_bluez_forgot_is_told_by_words_alone() -> None:
    assert 'not found")' in inspect.getsource(manager.BlueZManager._check_device)


def test_nothing_watches_whether_bluetoothd_lives() -> None:
    assert "NameOwnerChanged" not in inspect.getsource(manager)  # once it does, a scan needs no turns


def test_a_cancelled_start_stops_no_discovery() -> None:
    source = inspect.getsource(manager.BlueZManager.active_scan)

    assert "StopDiscovery" not in source[source.rindex("except BaseException") :]  # once it does, _whole can go


def test_a_cancelled_connect_disconnects() -> None:
    assert "push_async_callback(disconnect_device)" in inspect.getsource(BleakClientBlueZDBus.connect)


def test_the_manager_of_a_loop_can_be_reached_by_the_tests() -> None:
    assert manager._global_instances is not None
    assert {"_bus", "_bus_watcher_task"} <= set(vars(manager.BlueZManager()))
