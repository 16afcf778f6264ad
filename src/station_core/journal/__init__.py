"""
Group commit: what was applied in memory is kept in batches that form while the previous commit is in flight.

One writer takes whatever has accumulated, commits it as one, tells what happened, then releases whoever waits. The
batch sizes itself: one change when the house is quiet, hundreds under load; only in overload a commit waits for more.
"""

from station_core.journal.batch import Batch, Keeper
from station_core.journal.deliveries import DELIVERIES_KEPT, Delivery
from station_core.journal.writer import BATCH_BOUND, JOURNAL_BOUND, PATIENCE, WEIGHT_BOUND, Journal

__all__ = [
    "BATCH_BOUND",
    "DELIVERIES_KEPT",
    "JOURNAL_BOUND",
    "PATIENCE",
    "WEIGHT_BOUND",
    "Batch",
    "Delivery",
    "Journal",
    "Keeper",
]
