from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from station_core.audit.model import DONE, SYSTEM, Action, Deed
from station_core.devices.household import checked_name
from station_core.devices.model import Status
from station_core.errors import ExternalIdTaken, NotFound, ProvisioningBusy, RadioUnavailable, StationError
from station_core.provisioning.events import ProvisioningProgressed
from station_core.provisioning.model import Attempt, Step
from station_core.values import external_id as checked_external_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_core.audit.model import Actor
    from station_core.audit.service import Audit
    from station_core.clock import Clock, Randomness
    from station_core.devices.model import Device
    from station_core.devices.registry import Registry
    from station_core.devices.succession import Succession
    from station_core.events import EventBus
    from station_core.provisioning.ports import ProvisioningStore
    from station_core.provisioning.saga import Saga

log = logging.getLogger("station.provisioning")

ENDED_KEPT: Final = 100  # attempts of which the end can still be asked for
UNDER_WAY: Final = 20  # attempts at once


class Provisioning:
    """
    Makes devices in radio range the household's (docs/protocols.md §2), each attempt by a saga of its own.

    What is under way when the station ends is withdrawn or taken in by the next start. What an attempt to bring one
    home again wrote is proven by a handshake whenever that comes.
    """

    def __init__(
        self,
        *,
        saga: Saga,
        store: ProvisioningStore,
        registry: Registry,
        audit: Audit,
        succession: Succession,
        bus: EventBus,
        clock: Clock,
        randomness: Randomness,
        on: bool,
    ) -> None:
        self._saga = saga
        self._store = store
        self._registry = registry
        self._audit = audit
        self._succession = succession
        self._bus = bus
        self._clock = clock
        self._randomness = randomness
        self._on = on
        self._attempts: dict[str, Attempt] = {}
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._asked_to_end: dict[str, asyncio.Event] = {}
        self._cancelled_by: dict[str, Actor] = {}
        self._begun: set[str] = set()
        self._seen_to: set[str] = set()

    def begin(
        self,
        *,
        external_id: str,
        name: str | None = None,
        zone_id: str | None = None,
        again: bool = False,
        by: Actor = SYSTEM,
    ) -> Attempt:
        """
        Begin to provision for somebody; what becomes of it is told by `ProvisioningProgressed`.

        A device of the household is given its next token and stays what it is, name and zone too. Raise
        `ExternalIdInvalid`, `Malformed` for a new device without a proper name, `ExternalIdTaken` for one of the
        household that is online unless *again* is said, `ProvisioningBusy` while it's being provisioned or too many
        others are, `RadioUnavailable` when Bluetooth is turned off.
        """
        known = self.check(external_id=external_id, name=name, again=again)
        self._forget_ended()
        attempt = Attempt(
            id=self._randomness.uuid(),
            external_id=external_id,
            name=known.name if known is not None else checked_name(name or ""),
            by=by,
            zone_id=zone_id if known is None else known.zone_id,
            created_at=self._clock.now(),
            device_id=None if known is None else known.id,
        )
        self._asked_to_end[attempt.id] = asyncio.Event()
        self._tell(attempt)
        self._note(attempt, Action.PROVISIONING_BEGIN, by)
        self._waiting.put_nowait(attempt.id)
        return attempt

    def check(self, *, external_id: str, name: str | None = None, again: bool = False) -> Device | None:
        """The device, if it's the household's; raise what `begin` raises: for callers who prepare something for it."""
        checked_external_id(external_id)
        known = self._registry.named(external_id).device if self._registry.holds(external_id) else None
        if known is None:
            checked_name(name or "")
        if not self._on:
            raise RadioUnavailable("Bluetooth is turned off in the settings.")
        under_way = [attempt for attempt in self._attempts.values() if not attempt.step.final]
        if any(attempt.external_id == external_id for attempt in under_way):
            raise ProvisioningBusy
        if len(under_way) >= UNDER_WAY:
            raise ProvisioningBusy("Too many devices are being provisioned.")
        if known is not None and known.id in self._seen_to:
            raise ProvisioningBusy("What a former run of the station left of it is being seen to.")
        if known is not None and known.status is Status.ONLINE and not again:
            raise ExternalIdTaken("A device of this id is online; `again` provisions it nevertheless.")
        return known

    def attempt(self, attempt_id: str) -> Attempt:
        """How far it has come, or raise `NotFound`."""
        try:
            return self._attempts[attempt_id]
        except KeyError:
            raise NotFound("There is no such provisioning.") from None

    def cancel(self, attempt_id: str, *, by: Actor = SYSTEM) -> None:
        """End it soon and take back what it has reserved; one that has ended stays so. Raise `NotFound`."""
        self.attempt(attempt_id)
        if (asked := self._asked_to_end.get(attempt_id)) is not None:
            self._cancelled_by.setdefault(attempt_id, by)
            asked.set()

    async def run(self) -> None:
        """Work until cancelled; raise `StoreUnavailable` while what a former run left can't be known."""
        for attempt in [attempt for attempt in self._attempts.values() if attempt.id in self._begun]:
            self._end(attempt, Step.FAILED, code=StationError.code)  # it went down with the run before
        reserved = await self._store.reserved()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._saga.watch())
            for device_id in reserved:
                group.create_task(self._see_to(device_id, self._saga.see_to))
            for device_id in self._succession.unwritten():
                group.create_task(self._see_to(device_id, self._saga.see_to_again))
            while True:
                attempt = self._attempts[await self._waiting.get()]
                self._begun.add(attempt.id)
                group.create_task(self._provision(attempt))

    async def _see_to(self, device_id: str, see_to: Callable[[str], Awaitable[None]]) -> None:
        self._seen_to.add(device_id)
        try:
            await see_to(device_id)
        finally:
            self._seen_to.discard(device_id)

    async def _provision(self, attempt: Attempt) -> None:
        device_id = attempt.device_id or self._randomness.uuid()
        lead = self._saga.lead if attempt.device_id is None else self._saga.lead_again
        failure: StationError | None = None
        joined = False
        try:
            async with asyncio.TaskGroup() as group:
                leading = group.create_task(lead(attempt, device_id, lambda step: self._at(attempt, step)))
                asking = group.create_task(self._asked_to_end[attempt.id].wait())
                await asyncio.wait({leading, asking}, return_when=asyncio.FIRST_COMPLETED)
                joined = leading.done() and not leading.cancelled()
                leading.cancel()
                asking.cancel()
        except* StationError as errors:
            failure = _first(errors)
        if failure is None and joined:
            self._end(attempt, Step.DONE, device_id=device_id)
            return
        if attempt.device_id is None:
            await self._saga.withdraw(device_id, attempt.external_id)
        else:
            written = self._attempts[attempt.id].step in {Step.WRITTEN, Step.WAITING}
            await self._saga.settle(attempt, device_id, written=written)
        if failure is None:
            self._end(attempt, Step.CANCELLED)
        else:
            log.warning("provisioning failed", extra={"external_id": attempt.external_id, "code": failure.code})
            self._end(attempt, Step.FAILED, code=failure.code)

    def _at(self, attempt: Attempt, step: Step) -> None:
        if self._asked_to_end[attempt.id].is_set() and step is not Step.WRITTEN:  # what has happened is told
            raise asyncio.CancelledError  # the store passes over a cancellation that comes too late for it
        self._tell(replace(self._attempts[attempt.id], step=step))

    def _end(self, attempt: Attempt, step: Step, *, device_id: str | None = None, code: str | None = None) -> None:
        self._asked_to_end.pop(attempt.id)
        self._begun.discard(attempt.id)
        self._tell(replace(attempt, step=step, device_id=device_id or attempt.device_id, code=code))
        by = self._cancelled_by.pop(attempt.id, attempt.by)
        self._note(attempt, Action.PROVISIONING_END, by, DONE if step is Step.DONE else code or step.value)

    def _tell(self, attempt: Attempt) -> None:
        self._attempts[attempt.id] = attempt
        self._bus.publish([ProvisioningProgressed(attempt=attempt, timestamp=self._clock.now())])

    def _note(self, attempt: Attempt, action: Action, by: Actor, result: str = DONE) -> None:
        deed = Deed(actor=by, action=action, subject=attempt.subject, result=result, at=self._clock.now())
        self._audit.note(deed)

    def _forget_ended(self) -> None:
        ended = [attempt.id for attempt in self._attempts.values() if attempt.step.final]
        for attempt_id in ended[: max(0, len(ended) - ENDED_KEPT + 1)]:
            del self._attempts[attempt_id]


def _first(errors: BaseExceptionGroup[StationError]) -> StationError:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
