"""What can go wrong on the way of a device into the household; the codes of §2 in docs/protocols.md."""

from __future__ import annotations

from station_core.errors import ProvisioningFailed


class NotInRange(ProvisioningFailed):
    """The radio doesn't hear it any more."""

    code = "not_in_range"
    fact = "The device isn't in radio range."


class ConnectFailed(ProvisioningFailed):
    """It's heard, but takes no connection."""

    code = "connect_failed"
    fact = "The device took no connection."


class ServiceMissing(ProvisioningFailed):
    """It has no provisioning service, or not its characteristic."""

    code = "service_missing"
    fact = "The device has no provisioning service."


class WriteRefused(ProvisioningFailed):
    """It said no to what was written."""

    code = "write_refused"
    fact = "The device refused its settings."


class LinkLost(ProvisioningFailed):
    """It hung up before it confirmed."""

    code = "link_lost"
    fact = "The device hung up before it confirmed its settings."


class WifiNotConfigured(ProvisioningFailed):
    """The station doesn't know which Wi-Fi to name."""

    code = "wifi_not_configured"
    fact = "The station doesn't know the home's Wi-Fi yet."


class NoHandshake(ProvisioningFailed):
    """It took its settings and never came over MQTT."""

    code = "no_handshake"
    fact = "The device did not join in time: wrong Wi-Fi password, or out of its reach?"
