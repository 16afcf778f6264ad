"""
What can go wrong, as one tree; every error has a stable code that the wires carry.

StationError
├── Malformed                malformed            the input breaks the contract of its wire
│   ├── ExternalIdInvalid    external_id_invalid
│   └── CommandInvalid       command_invalid      unknown action, missing or impossible parameter
├── Unauthenticated          unauthenticated
├── Forbidden                forbidden
│   ├── RegistrationClosed   registration_closed
│   └── SyncOverdue          sync_overdue         identity/errors.py
├── NotFound                 not_found
│   └── DeviceUnknown        device_unknown
├── Conflict                 conflict
│   ├── ExternalIdTaken      external_id_taken
│   ├── ZoneNameTaken        zone_name_taken
│   ├── DeviceOffline        device_offline
│   ├── ProvisioningBusy     provisioning_busy    somebody else provisions this device just now
│   ├── StillAnswering       still_answering      the first request under this idempotency key is under way
│   └── ClaimSealed          claim_sealed         the station's claim can't be read: its key isn't there
├── KeyReused                idempotency_key_reused  another request bore this idempotency key
├── Stale                    stale                it has changed since the caller read it
├── TooLarge                 too_large
├── RateLimited              rate_limited
├── Unavailable              unavailable          passing: ask again
│   ├── StoreUnavailable     store_unavailable
│   ├── BrokerUnavailable    broker_unavailable
│   ├── RadioUnavailable     radio_unavailable    no Bluetooth
│   ├── CloudUnavailable     cloud_unavailable    no link, or no answer in time
│   └── Starting             starting
├── StoreFull                store_full           the disk is full
├── ChangeRefused            change_refused       the store can never keep this content
├── CloudRefused             cloud_refused        the cloud answered with an error
├── ProvisioningFailed       provisioning_failed  its kinds: provisioning/errors.py; a retry may work
│   ├── NotInRange           not_in_range
│   ├── ConnectFailed        connect_failed
│   ├── ServiceMissing       service_missing
│   ├── WriteRefused         write_refused
│   ├── LinkLost             link_lost
│   ├── WifiNotConfigured    wifi_not_configured
│   └── NoHandshake          no_handshake
├── LinkDown                 link_down            a worker's connection ended
├── StoreTaken               store_taken          another station holds the store or the data folder
└── SettingInvalid           setting_invalid      the operator has to change a setting
    └── StoreNewer           store_newer          a newer program made the database
"""

from __future__ import annotations

from typing import ClassVar


class StationError(Exception):
    """A fact that a caller can act on; `code` is stable, the message is for people and holds no secret."""

    code: ClassVar[str] = "internal"
    fact: ClassVar[str] = "Something went wrong."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.fact)


class Malformed(StationError):
    """The input breaks the contract of its wire."""

    code = "malformed"
    fact = "The input is malformed."


class ExternalIdInvalid(Malformed):
    """The id is none that a device may bear."""

    code = "external_id_invalid"
    fact = "An external id is 1 to 64 of A-Z a-z 0-9 _ . : - and starts with a letter or digit."


class CommandInvalid(Malformed):
    """The device's type knows no such command, or not with such parameters."""

    code = "command_invalid"
    fact = "The device's type knows no such command."


class Unauthenticated(StationError):
    """No credential, or none that holds."""

    code = "unauthenticated"
    fact = "The credential is missing, wrong or expired."


class Forbidden(StationError):
    """Known, but not allowed."""

    code = "forbidden"
    fact = "This isn't allowed for you."


class RegistrationClosed(Forbidden):
    """There is an owner already."""

    code = "registration_closed"
    fact = "The station has its owner already."


class NotFound(StationError):
    """There is no such thing."""

    code = "not_found"
    fact = "There is no such thing."


class DeviceUnknown(NotFound):
    """The station has no such device."""

    code = "device_unknown"
    fact = "The station has no such device."


class Conflict(StationError):
    """The present state doesn't allow it."""

    code = "conflict"
    fact = "The present state doesn't allow it."


class ExternalIdTaken(Conflict):
    """Another device bears this id."""

    code = "external_id_taken"
    fact = "Another device bears this external id."


class ZoneNameTaken(Conflict):
    """Another zone bears this name, in whatever case."""

    code = "zone_name_taken"
    fact = "Another zone bears this name."


class DeviceOffline(Conflict):
    """The device can't be reached now."""

    code = "device_offline"
    fact = "The device is offline."


class ProvisioningBusy(Conflict):
    """The device is being provisioned by somebody else."""

    code = "provisioning_busy"
    fact = "This device is being provisioned already."


class StillAnswering(Conflict):
    """The same request is under way already; its answer comes to whoever asks again then."""

    code = "still_answering"
    fact = "The first request with this key is still being answered."


class ClaimSealed(Conflict):
    """Somebody has claimed the station, but by which secret can't be read: the key of then isn't there."""

    code = "claim_sealed"
    fact = "The claim can't be read: the file `sealing` in the data folder isn't the one that it was sealed by."


class KeyReused(StationError):
    """Another request bore this idempotency key."""

    code = "idempotency_key_reused"
    fact = "This idempotency key was used for another request."


class Stale(StationError):
    """It has changed since the caller read it."""

    code = "stale"
    fact = "It has changed since you read it."


class TooLarge(StationError):
    """The input is over its bound."""

    code = "too_large"
    fact = "The input is too large."


class RateLimited(StationError):
    """Too often; ask again after `retry_after` seconds."""

    code = "rate_limited"
    fact = "Too many attempts."

    def __init__(self, message: str | None = None, *, retry_after: float = 60.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(StationError):
    """Something that the station depends on is away for the moment: ask again."""

    code = "unavailable"
    fact = "Not available for the moment."


class StoreUnavailable(Unavailable):
    """The store can't answer now."""

    code = "store_unavailable"
    fact = "The database can't answer now."


class BrokerUnavailable(Unavailable):
    """The broker can't take a message now."""

    code = "broker_unavailable"
    fact = "The MQTT broker can't be reached now."


class RadioUnavailable(Unavailable):
    """There is no Bluetooth adapter that works now."""

    code = "radio_unavailable"
    fact = "Bluetooth isn't available now."


class CloudUnavailable(Unavailable):
    """There is no link to the cloud, or no answer came in time."""

    code = "cloud_unavailable"
    fact = "The cloud can't be reached now."


class Starting(Unavailable):
    """The station isn't ready yet."""

    code = "starting"
    fact = "The station is starting."


class StoreFull(StationError):
    """The disk is full: nothing can be kept until there is room."""

    code = "store_full"
    fact = "The disk is full."


class ChangeRefused(StationError):
    """The store can never keep this content; nothing of the batch is kept."""

    code = "change_refused"
    fact = "The store can't keep this content."


class CloudRefused(StationError):
    """The cloud answered with an error."""

    code = "cloud_refused"
    fact = "The cloud answered with an error."


class ProvisioningFailed(StationError):
    """A device in range could not be made one of ours; nothing of it is left, and a retry may work."""

    code = "provisioning_failed"
    fact = "The device could not be provisioned."


class LinkDown(StationError):
    """A worker's connection ended; the supervisor decides what happens next."""

    code = "link_down"
    fact = "The connection ended."


class StoreTaken(StationError):
    """Another station holds the store or the data folder."""

    code = "store_taken"
    fact = "Another station uses this store."


class SettingInvalid(StationError):
    """A setting or what it points at is wrong; the operator has to change it."""

    code = "setting_invalid"
    fact = "A setting is wrong."


class StoreNewer(SettingInvalid):
    """A newer program made the database; this one leaves it alone."""

    code = "store_newer"
    fact = "The database is newer than this program."
