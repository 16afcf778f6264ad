"""
What the station tells of itself, as Prometheus wants it: base units, counters that end in `_total`.

No label bears the id of a device or a person: there is a bounded number of series, however large the house is.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from station_adapters.metrics.sources import Answers, BrokerLink, Inlet, LiveStream
    from station_core.home import Home
    from station_core.measures import Distribution

Labels = TypeVar("Labels", bound=tuple[str, ...])

OTHER: Final = "other"  # a device's type that is in no table: firmware may say whatever it likes


def of_the_home(home: Home) -> Iterator[Metric]:
    """Devices, commands, and what is up."""
    yield _gauge("station_ready", "Whether the station serves and its vital parts are up.", float(home.health.ready))
    yield _gauges("station_part_up", "Whether a part is up.", "part", {n: p.up for n, p in home.health.parts.items()})
    yield _counter(
        "station_worker_restarts", "Workers that had to begin again.", ["worker"], _one(home.health.restarts)
    )
    known = {kind.id for kind in home.devices.types}
    devices = Counter(
        (device.type if device.type in known else OTHER, device.status.value) for device in home.household.devices()
    )
    family = GaugeMetricFamily("station_devices", "Devices of the household.", labels=["type", "status"])
    for labels, count in devices.items():
        family.add_metric(labels, count)
    yield family
    yield _counter("station_commands", "Commands, by what became of them.", ["outcome"], _one(home.commands.outcomes))
    yield _histogram("station_command_seconds", "Until the broker has a command.", [], {(): home.commands.seconds})


def of_the_journal(home: Home) -> Iterator[Metric]:
    """What waits for the store, and how it's kept."""
    journal = home.journal
    yield _gauge("station_journal_changes", "Changes that wait for the store.", journal.waiting)
    yield _gauge("station_journal_bytes", "JSON of the changes that wait for the store.", journal.weight)
    yield _counter("station_journal_refused", "Changes that the store can never keep.", [], {(): journal.refused})
    yield _histogram("station_journal_batch_changes", "Changes kept by a commit.", [], {(): journal.batch_sizes})
    yield _histogram("station_journal_commit_seconds", "Duration of a commit.", [], {(): journal.commit_seconds})


def of_the_wires(home: Home, inlet: Inlet, link: BrokerLink, live: LiveStream) -> Iterator[Metric]:
    """MQTT and the live sockets, and what overload shed."""
    counts = inlet.counts
    yield _counter("station_mqtt_messages", "Messages, by what became of them.", ["kind", "outcome"], counts)
    yield _counter("station_mqtt_reconnects", "Broker sessions after the first.", [], {(): max(0, link.sessions - 1)})
    yield _counter(
        "station_cloud_reconnects", "Connections to the cloud after the first.", [], {(): home.cloud.reconnects}
    )
    left_out = _one(home.identity_sync.refused)
    yield _counter("station_identity_left_out", "What the cloud told of members and can't be so.", ["reason"], left_out)
    yield _gauge("station_intake_messages", "Messages that wait to be handled.", len(inlet.intake))
    yield _gauge("station_intake_bytes", "Payloads that wait to be handled.", inlet.intake.weight)
    shed = {
        "telemetry": sum(count for (_, outcome), count in counts.items() if outcome == "superseded"),
        "activity": home.commands.unkept,
        "live": live.dropped,
        "audit": home.audit.dropped,
        "cloud": home.outbox_bounds.dropped.total(),
    }
    yield _counter("station_shed", "What overload gave up: merged, not kept, or not told.", ["class"], _one(shed))
    known, unknown = live.sockets
    sockets = {"authenticated": known, "unauthenticated": unknown}
    yield _gauges("station_live_sockets", "Open live sockets.", "state", sockets)


def of_http(answers: Answers) -> Iterator[Metric]:
    """Requests, by the route's template."""
    requests = {(route, method, str(status)): count for (route, method, status), count in answers.requests.items()}
    yield _counter("station_http_requests", "Requests that were answered.", ["route", "method", "status"], requests)
    about = "Until a request is answered."
    yield _histogram("station_http_request_seconds", about, ["route", "method"], answers.seconds)


def of_the_database(size: int) -> Iterator[Metric]:
    """How much it holds."""
    yield _gauge("station_database_size_bytes", "Size of the database.", size)


def of_the_process(tasks: int, blocks: int) -> Iterator[Metric]:
    """What is under way, and what lives in memory."""
    yield _gauge("station_tasks", "Tasks of the event loop.", tasks)
    yield _gauge("station_memory_blocks", "Blocks of memory that Python has in use.", blocks)


def of_the_build(version: str, python: str) -> Iterator[Metric]:
    """Which station it is."""
    family = GaugeMetricFamily("station_build_info", "Which station it is.", labels=["version", "python"])
    family.add_metric([version, python], 1)
    yield family


def _one(counts: Mapping[str, int]) -> Mapping[tuple[str, ...], int]:
    return {(label,): count for label, count in counts.items()}


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _gauges(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=[label])
    for value, number in values.items():
        family.add_metric([value], float(number))
    return family


def _counter(name: str, about: str, labels: Sequence[str], counts: Mapping[Labels, int]) -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _histogram(name: str, about: str, labels: Sequence[str], spreads: Mapping[Labels, Distribution]) -> Metric:
    family = HistogramMetricFamily(name, about, labels=labels)
    for values, spread in spreads.items():
        buckets: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*map(str, spread.bounds), "+Inf"), spread.counts, strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric(values, buckets, spread.total)
    return family
