"""What the operator of the machine can order: one table, for a running station and for its data alone."""

from station_app.orders.desk import Desk

__all__ = ["Desk"]
